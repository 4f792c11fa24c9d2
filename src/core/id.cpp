// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "core/id.hpp"

#include <array>

namespace idlewatt::core {

namespace {

constexpr auto id_characters = [] {
    std::array<bool, 256> allowed{};
    for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyz0123456789_-"))
        allowed[static_cast<unsigned char>(c)] = true;
    return allowed;
}();

// The last so many hexadecimal digits of the number; the place behind them.
char* write_hex(char* at, std::uint64_t number, unsigned digits) {
    constexpr std::string_view letters = "0123456789abcdef";
    while (digits-- > 0)
        *at++ = letters[(number >> (4U * digits)) & 15U];
    return at;
}

}  // namespace

bool is_id(std::string_view text) {
    if (text.empty() || text.size() > id_bytes_max)
        return false;
    for (const char c : text) {
        if (!id_characters[static_cast<unsigned char>(c)])
            return false;
    }
    return true;
}

std::string make_time_ordered_id(base::WallTime now, base::Prng& prng) {
    const std::uint64_t last = prng.next();
    const std::uint64_t middle = prng.next();
    std::string text(32, '0');
    char* at = write_hex(text.data(), static_cast<std::uint64_t>(now.us / 1000), 12);
    at = write_hex(at, middle, 4);
    write_hex(at, last, 16);
    return text;
}

}  // namespace idlewatt::core
