// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The text form of NATS keys: base32 of prefix bytes, 32 bytes of key and a CRC-16. Pure.
// https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "identity/identity.hpp"

namespace idlewatt::identity {

inline constexpr std::size_t key_bytes = 32;

struct DecodedSeed {
    KeyKind kind = KeyKind::user;
    std::string seed;  // raw bytes
};

[[nodiscard]] std::string encode_public_key(KeyKind kind, std::string_view key);
[[nodiscard]] std::string encode_seed(KeyKind kind, std::string_view seed);

// Nothing for text that is not exactly what encoding would have made.
[[nodiscard]] std::optional<std::string> decode_public_key(std::string_view text);
[[nodiscard]] std::optional<DecodedSeed> decode_seed(std::string_view text);

}  // namespace idlewatt::identity
