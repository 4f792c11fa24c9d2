// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a command reads out of a batch object, and how it is said to people. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cli/exit_code.hpp"

namespace idlewatt::cli {

struct BatchStatus {
    std::string id;
    std::string endpoint;
    std::string status;
    std::string output_file;  // ids; empty: there is none
    std::string error_file;
    std::int64_t created_at_s = 0;  // since 1970
    std::uint64_t total = 0;
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;
    std::vector<std::string> faults;  // of its file, with their lines

    // Nothing changes any more.
    [[nodiscard]] bool ended() const;
};
[[nodiscard]] base::Result<BatchStatus> parse_batch_status(std::string_view body);
struct BatchStatuses {
    std::vector<BatchStatus> batches;
    bool has_more = false;
};
[[nodiscard]] base::Result<BatchStatuses> parse_batch_statuses(std::string_view body);
// The id of an uploaded file.
[[nodiscard]] base::Result<std::string> parse_file_id(std::string_view body);

// Of one that has ended: "completed: 9 ok / 0 failed".
[[nodiscard]] std::string batch_verdict(const BatchStatus& batch);
// ok: every line has its answer; partial: some have.
[[nodiscard]] ExitCode batch_exit_code(const BatchStatus& batch);

}  // namespace idlewatt::cli
