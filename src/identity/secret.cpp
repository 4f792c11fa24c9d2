// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "identity/secret.hpp"

#include "base/encoding.hpp"
#include "identity/sodium_bytes.hpp"

namespace idlewatt::identity {

namespace {

constexpr std::size_t secret_bytes = 32;

}  // namespace

std::string sha256(std::string_view text) {
    std::string hash(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256(bytes(hash), bytes(text), text.size());
    return hash;
}

std::string sha256_hex(std::string_view text) {
    return base::to_hex(sha256(text));
}

std::string random_secret(std::string_view prefix) {
    start_sodium();
    std::string random(secret_bytes, '\0');
    randombytes_buf(random.data(), random.size());
    std::string secret(prefix);
    for (const char c : base::to_base32(random))
        secret += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    wipe(random);
    return secret;
}

std::uint64_t random_seed() {
    start_sodium();
    std::uint64_t seed = 0;
    randombytes_buf(&seed, sizeof seed);
    return seed;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace idlewatt::identity
