// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How long a body is said to be. Pure. Internal to the module.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

#include "http/http.hpp"

namespace idlewatt::http {

// nullopt: not said, or not a number.
[[nodiscard]] inline std::optional<std::uint64_t> announced_length(const Headers& headers) {
    const auto found = headers.find("content-length");
    if (found == headers.end()) {
        return std::nullopt;
    }
    const std::string& text = found->second;
    std::uint64_t bytes = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(bytes)
                                                                    : std::nullopt;
}

}  // namespace idlewatt::http
