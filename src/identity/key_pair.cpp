// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "identity/identity.hpp"
#include "identity/nkey.hpp"
#include "identity/sodium_bytes.hpp"

namespace idlewatt::identity {

namespace {

static_assert(crypto_sign_SEEDBYTES == key_bytes);
static_assert(crypto_sign_PUBLICKEYBYTES == key_bytes);

}  // namespace

KeyPair::~KeyPair() {
    wipe(seed_text_);
    wipe(secret_);
}

KeyPair KeyPair::from_raw(KeyKind kind, std::string_view seed) {
    start_sodium();
    KeyPair pair;
    std::string public_key(crypto_sign_PUBLICKEYBYTES, '\0');
    pair.secret_.resize(crypto_sign_SECRETKEYBYTES);
    crypto_sign_seed_keypair(bytes(public_key), bytes(pair.secret_), bytes(seed));
    pair.public_text_ = encode_public_key(kind, public_key);
    pair.seed_text_ = encode_seed(kind, seed);
    return pair;
}

KeyPair KeyPair::generate(KeyKind kind) {
    start_sodium();
    std::string seed(key_bytes, '\0');
    randombytes_buf(seed.data(), seed.size());
    KeyPair pair = from_raw(kind, seed);
    wipe(seed);
    return pair;
}

base::Result<KeyPair> KeyPair::from_seed(std::string_view seed_text) {
    std::optional<DecodedSeed> decoded = decode_seed(seed_text);
    if (!decoded) {
        // Never the text itself: it may be a real seed with one letter wrong.
        return base::fail(base::ErrorKind::bad_input,
                          "not an NKey seed: expected 58 letters and digits that begin with SO, SA "
                          "or SU and carry a right checksum; take the seed from its file again");
    }
    KeyPair pair = from_raw(decoded->kind, decoded->seed);
    wipe(decoded->seed);
    return pair;
}

KeyPair KeyPair::for_test(KeyKind kind, std::uint64_t number) {
    start_sodium();
    const std::string text = "idlewatt test key " + std::to_string(static_cast<int>(kind)) + ' ' +
                             std::to_string(number);
    std::string seed(key_bytes, '\0');
    crypto_hash_sha256(bytes(seed), bytes(std::string_view(text)), text.size());
    return from_raw(kind, seed);
}

std::string KeyPair::sign(std::string_view message) const {
    std::string signature(crypto_sign_BYTES, '\0');
    crypto_sign_detached(bytes(signature), nullptr, bytes(message), message.size(),
                         bytes(std::string_view(secret_)));
    return signature;
}

bool verify(std::string_view public_key, std::string_view message, std::string_view signature) {
    start_sodium();
    const std::optional<std::string> key = decode_public_key(public_key);
    if (!key || signature.size() != crypto_sign_BYTES)
        return false;
    return crypto_sign_verify_detached(bytes(signature), bytes(message), message.size(),
                                       bytes(std::string_view(*key))) == 0;
}

}  // namespace idlewatt::identity
