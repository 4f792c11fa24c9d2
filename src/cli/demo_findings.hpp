// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a demo reads from the state folders of its cars after the story, and says before it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/asio_loop.hpp"
#include "base/time.hpp"
#include "cli/answer_record.hpp"
#include "engine/tap.hpp"
#include "wire/fleet.hpp"

namespace idlewatt::cli {

// Time for the cars to load their models before the story begins.
[[nodiscard]] base::Duration story_delay(std::uint32_t vehicles);
[[nodiscard]] std::string first_model(const std::vector<wire::VehicleRow>& rows);
// Address, key and a command to try.
[[nodiscard]] std::vector<std::string> usage_lines(const std::string& url,
                                                   const std::string& api_key,
                                                   const std::string& model);

[[nodiscard]] std::vector<std::vector<engine::TapFrame>> read_taps(
    const std::vector<std::string>& vehicle_folders);
// What clients of the gateway were sent, read as a client reads it.
[[nodiscard]] std::vector<AnswerRecord> read_responses(const std::string& tap_path);
// The demo's own clients as they saw it, and everybody else as the gateway's door saw it.
[[nodiscard]] std::vector<AnswerRecord> with_strangers(std::vector<AnswerRecord> own,
                                                       std::vector<AnswerRecord> at_the_door);
// From the signal to the end of the engine, in milliseconds.
[[nodiscard]] std::vector<double> read_recalls(const std::vector<std::string>& vehicle_folders);

struct ReceiptFindings {
    std::uint64_t signed_receipts = 0;
    std::uint64_t acknowledged = 0;
};
// From the coordinator's store and the cars' spools, after all of them have ended.
[[nodiscard]] ReceiptFindings count_receipts(base::AsioLoop& loop, const std::string& store_path,
                                             const std::vector<std::string>& vehicle_folders);

}  // namespace idlewatt::cli
