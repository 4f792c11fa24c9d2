// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Secrets of 256 random bits (API keys, enrolment tokens) and the hash under which they are kept.
// Such a secret needs no slow hash: nobody can try them all. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace idlewatt::identity {

// 32 raw bytes.
[[nodiscard]] std::string sha256(std::string_view bytes);
// 64 hexadecimal digits.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

// The prefix and 52 lower-case letters and digits: iw-….
inline constexpr std::string_view api_key_prefix = "iw-";
inline constexpr std::string_view enrolment_token_prefix = "iwt-";
[[nodiscard]] std::string random_secret(std::string_view prefix = api_key_prefix);
// For seeding a base::Prng.
[[nodiscard]] std::uint64_t random_seed();

// Takes the same time wherever the two differ; only their lengths show.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace idlewatt::identity
