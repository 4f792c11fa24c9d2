// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Where a demonstration's story stands, and when clients should be asking. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "signals/script.hpp"

namespace idlewatt::cli {

// The time since the story began anew; of one that does not repeat, at most its end.
[[nodiscard]] base::Duration in_round(const signals::Script& script, base::Duration played);
// What a clock on the wall of the story shows.
[[nodiscard]] base::Duration clock_of(const signals::Script& script, base::Duration played);
// The last one said in this round; empty: none yet.
[[nodiscard]] std::string caption_at(const signals::Script& script, base::Duration played);

// From this caption to the next one, or to the story's end.
[[nodiscard]] base::Duration caption_time(const signals::Script& script, std::size_t caption);

// When a car is needed by its owner or something of it is killed, in played time and in order: the
// moments at which an answer in it has to go on elsewhere.
[[nodiscard]] std::vector<base::Duration> departures(const signals::Script& script,
                                                     std::uint32_t vehicles);

}  // namespace idlewatt::cli
