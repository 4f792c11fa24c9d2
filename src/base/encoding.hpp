// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Bytes as text and back: hexadecimal in lower case, base32 (RFC 4648, without padding), base64url
// (without padding). Reading accepts only what writing would have made, so that no two texts mean
// the same bytes. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace idlewatt::base {

[[nodiscard]] std::string to_hex(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_hex(std::string_view text);

[[nodiscard]] std::string to_base32(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_base32(std::string_view text);

[[nodiscard]] std::string to_base64url(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_base64url(std::string_view text);

}  // namespace idlewatt::base
