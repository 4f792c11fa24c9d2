// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Text as a JSON string, straight into a buffer: every token that a client gets passes here, so
// there is no tree and no copy.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace idlewatt::wire {

// Appends "text" with its quotes. Bytes that are not UTF-8 become U+FFFD, one for each maximal
// broken part, as browsers do (Unicode 15, 3.9).
void append_json_string(std::string& out, std::string_view text);

// Where the first byte stands that is not part of well-formed UTF-8.
[[nodiscard]] std::optional<std::size_t> first_bad_utf8(std::string_view text);

}  // namespace idlewatt::wire
