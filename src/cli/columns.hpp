// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Tables and small words for people. Pure.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace idlewatt::cli {

// Columns as wide as their widest word; the last is not padded.
void print_columns(const std::vector<std::vector<std::string>>& lines, std::ostream& out);

// "1.4 GB", "18.2 MB", "312 bytes".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
// "90s", "15m", "12h", "7d"; a number alone is seconds.
[[nodiscard]] base::Result<base::Duration> parse_span(std::string_view text);
// RFC 3339, or "-" when there is none.
[[nodiscard]] std::string time_text(const std::optional<base::WallTime>& time);

// What stands in a path of a URL between two slashes.
[[nodiscard]] std::string path_segment(std::string_view text);

}  // namespace idlewatt::cli
