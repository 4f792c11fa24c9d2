// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_credentials.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/assert.hpp"
#include "base/descriptor.hpp"
#include "base/encoding.hpp"

namespace idlewatt::bus {

namespace {

constexpr std::size_t credentials_bytes_max = 64 * 1024;
// Of a seed in base32: two bytes that say what it is, the seed, and a check of both in two bytes.
// Source: https://github.com/nats-io/nkeys, strkey.go
constexpr std::size_t prefix_bytes = 2;
constexpr std::size_t secret_bytes = 32;
constexpr std::size_t check_bytes = 2;
constexpr std::size_t signature_bytes = 64;

// The first line between dashes that begin with these words, or nothing.
std::string_view block_of(std::string_view text, std::string_view words) {
    const std::size_t title = text.find(words);
    const std::size_t begin = title == text.npos ? text.npos : text.find('\n', title);
    if (begin == text.npos)
        return {};
    const std::string_view line = text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
    return line.substr(0, line.find_last_not_of(" \r\t") + 1);
}

// It is sent as it stands there, in the middle of our own words.
bool looks_like_jwt(std::string_view text) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    return std::ranges::count(text, '.') == 2 && text.find_first_not_of(alphabet) == text.npos;
}

// CRC-16/XMODEM, low byte first.
std::string check_of(std::string_view bytes) {
    unsigned crc = 0;
    for (const char byte : bytes) {
        crc ^= static_cast<unsigned>(static_cast<unsigned char>(byte)) << 8U;
        for (int bit = 0; bit < 8; ++bit)
            crc = ((crc << 1U) ^ ((crc & 0x8000U) != 0 ? 0x1021U : 0U)) & 0xffffU;
    }
    return {static_cast<char>(crc & 0xffU), static_cast<char>(crc >> 8U)};
}

std::optional<std::string> secret_of(std::string_view seed) {
    if (!seed.starts_with("SU"))
        return std::nullopt;
    auto bytes = base::from_base32(seed);
    if (!bytes || bytes->size() != prefix_bytes + secret_bytes + check_bytes)
        return std::nullopt;
    const std::string_view signed_part = std::string_view(*bytes).substr(0, bytes->size() - 2);
    if (!bytes->ends_with(check_of(signed_part)))
        return std::nullopt;
    std::string secret = bytes->substr(prefix_bytes, secret_bytes);
    OPENSSL_cleanse(bytes->data(), bytes->size());
    return secret;
}

const unsigned char* unsigned_of(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

NatsCredentials::NatsCredentials(std::string jwt, std::string secret)
    : jwt_(std::move(jwt)), secret_(std::move(secret)) {}

NatsCredentials::~NatsCredentials() {
    OPENSSL_cleanse(secret_.data(), secret_.size());
}

base::Result<NatsCredentials> NatsCredentials::read(const std::string& path) {
    const base::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text(credentials_bytes_max, '\0');
    const ssize_t size =
        file.get() < 0 ? -1 : ::read(file.get(), text.data(), text.size());  // one page or two
    if (size < 0)
        return base::fail_errno("cannot read the credentials file " + path);
    text.resize(static_cast<std::size_t>(size));
    const std::string_view jwt = block_of(text, "-BEGIN NATS USER JWT-");
    auto secret = secret_of(block_of(text, "-BEGIN USER NKEY SEED-"));
    const bool whole = looks_like_jwt(jwt) && secret.has_value();
    NatsCredentials read(std::string(jwt), secret ? std::move(*secret) : std::string());
    OPENSSL_cleanse(text.data(), text.size());
    if (!whole) {
        return base::fail(
            base::ErrorKind::denied,
            path + " does not hold a user JWT and its seed, as enrolment writes them");
    }
    return read;
}

std::string NatsCredentials::sign(std::string_view nonce) const {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, unsigned_of(secret_),
                                     secret_.size()),
        EVP_PKEY_free);
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          EVP_MD_CTX_free);
    IDLEWATT_ASSERT(key != nullptr && context != nullptr);
    std::string signature(signature_bytes, '\0');
    std::size_t size = signature.size();
    const bool done =
        EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                       unsigned_of(nonce), nonce.size()) == 1;
    IDLEWATT_ASSERT(done && size == signature_bytes);
    return signature;
}

}  // namespace idlewatt::bus
