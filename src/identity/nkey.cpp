// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "identity/nkey.hpp"

#include <cstdint>

#include "base/assert.hpp"
#include "base/encoding.hpp"

namespace idlewatt::identity {

namespace {

constexpr unsigned seed_prefix = 18U << 3U;  // S
constexpr std::size_t checksum_bytes = 2;

unsigned prefix_of(KeyKind kind) {
    switch (kind) {
        case KeyKind::operator_key:
            return 14U << 3U;  // O
        case KeyKind::account:
            return 0U;  // A
        case KeyKind::user:
            return 20U << 3U;  // U
    }
    base::assertion_failed("closed enum KeyKind", __FILE__, __LINE__);
}

std::optional<KeyKind> kind_of(unsigned prefix) {
    for (const KeyKind kind : {KeyKind::operator_key, KeyKind::account, KeyKind::user}) {
        if (prefix_of(kind) == prefix)
            return kind;
    }
    return std::nullopt;
}

// CRC-16/XMODEM: polynomial 0x1021, start 0.
std::uint16_t checksum(std::string_view bytes) {
    unsigned crc = 0;
    for (const char c : bytes) {
        crc ^= static_cast<unsigned>(static_cast<unsigned char>(c)) << 8U;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ 0x1021U : crc << 1U;
        }
        crc &= 0xffffU;
    }
    return static_cast<std::uint16_t>(crc);
}

std::string with_checksum(std::string bytes) {
    const std::uint16_t crc = checksum(bytes);
    bytes += static_cast<char>(crc & 0xffU);
    bytes += static_cast<char>(crc >> 8U);
    return bytes;
}

// The bytes before the checksum.
std::optional<std::string> checked(std::string_view text, std::size_t size) {
    if (text.size() > 2 * (size + checksum_bytes))
        return std::nullopt;
    std::optional<std::string> bytes = base::from_base32(text);
    if (!bytes || bytes->size() != size + checksum_bytes)
        return std::nullopt;
    const std::string body = bytes->substr(0, size);
    if (with_checksum(body) != *bytes)
        return std::nullopt;
    return body;
}

}  // namespace

std::string encode_public_key(KeyKind kind, std::string_view key) {
    IDLEWATT_ASSERT(key.size() == key_bytes);
    std::string bytes(1, static_cast<char>(prefix_of(kind)));
    return base::to_base32(with_checksum(bytes.append(key)));
}

std::string encode_seed(KeyKind kind, std::string_view seed) {
    IDLEWATT_ASSERT(seed.size() == key_bytes);
    // The two prefixes share a byte, so that the text begins with S and the letter of the kind.
    const unsigned kind_prefix = prefix_of(kind);
    std::string bytes(1, static_cast<char>(seed_prefix | (kind_prefix >> 5U)));
    bytes += static_cast<char>((kind_prefix & 31U) << 3U);
    return base::to_base32(with_checksum(bytes.append(seed)));
}

std::optional<std::string> decode_public_key(std::string_view text) {
    const std::optional<std::string> bytes = checked(text, 1 + key_bytes);
    if (!bytes || !kind_of(static_cast<unsigned char>(bytes->front())))
        return std::nullopt;
    return bytes->substr(1);
}

std::optional<DecodedSeed> decode_seed(std::string_view text) {
    const std::optional<std::string> bytes = checked(text, 2 + key_bytes);
    if (!bytes)
        return std::nullopt;
    const auto first = static_cast<unsigned char>((*bytes)[0]);
    const auto second = static_cast<unsigned char>((*bytes)[1]);
    if ((first & 0xf8U) != seed_prefix || (second & 7U) != 0)
        return std::nullopt;
    const std::optional<KeyKind> kind = kind_of(((first & 7U) << 5U) | (second >> 3U));
    if (!kind)
        return std::nullopt;
    return DecodedSeed{*kind, bytes->substr(2)};
}

}  // namespace idlewatt::identity
