// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/encoding.hpp"

#include <cstdint>

namespace idlewatt::base {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base32_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view base64url_letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string write(std::string_view bytes, std::string_view letters, unsigned bits_each) {
    const std::uint32_t mask = (1U << bits_each) - 1U;
    std::string text;
    text.reserve((bytes.size() * 8 + bits_each - 1) / bits_each);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : bytes) {
        bits = (bits << 8U) | static_cast<unsigned char>(c);
        held += 8;
        while (held >= bits_each) {
            held -= bits_each;
            text += letters[(bits >> held) & mask];
        }
    }
    if (held > 0)
        text += letters[(bits << (bits_each - held)) & mask];
    return text;
}

std::optional<std::string> read(std::string_view text, std::string_view letters,
                                unsigned bits_each) {
    std::string bytes;
    bytes.reserve(text.size() * bits_each / 8);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : text) {
        const std::size_t value = letters.find(c);
        if (value == std::string_view::npos)
            return std::nullopt;
        bits = (bits << bits_each) | static_cast<std::uint32_t>(value);
        held += bits_each;
        if (held >= 8) {
            held -= 8;
            bytes += static_cast<char>((bits >> held) & 0xffU);
        }
    }
    // Left-over bits are fewer than a letter's, and zero.
    if (held >= bits_each || (bits & ((1U << held) - 1U)) != 0)
        return std::nullopt;
    return bytes;
}

}  // namespace

std::string to_hex(std::string_view bytes) {
    std::string text(bytes.size() * 2, '\0');
    char* at = text.data();
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        *at++ = hex_digits[byte >> 4U];
        *at++ = hex_digits[byte & 15U];
    }
    return text;
}
std::optional<std::string> from_hex(std::string_view text) {
    return read(text, hex_digits, 4);
}

std::string to_base32(std::string_view bytes) {
    return write(bytes, base32_letters, 5);
}
std::optional<std::string> from_base32(std::string_view text) {
    return read(text, base32_letters, 5);
}

std::string to_base64url(std::string_view bytes) {
    return write(bytes, base64url_letters, 6);
}
std::optional<std::string> from_base64url(std::string_view text) {
    return read(text, base64url_letters, 6);
}

}  // namespace idlewatt::base
