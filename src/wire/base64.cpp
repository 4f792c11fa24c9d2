// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/base64.hpp"

#include <cstdint>

namespace idlewatt::wire {

void append_base64(std::string& out, std::string_view bytes) {
    static constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::size_t at = 0;
    for (; at < bytes.size(); at += 3) {
        std::uint32_t three = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            const bool there = at + i < bytes.size();
            three = three << 8 | (there ? static_cast<unsigned char>(bytes[at + i]) : 0U);
        }
        const std::size_t given = bytes.size() - at;
        out += digits[three >> 18];
        out += digits[three >> 12 & 63];
        out += given > 1 ? digits[three >> 6 & 63] : '=';
        out += given > 2 ? digits[three & 63] : '=';
    }
}

}  // namespace idlewatt::wire
