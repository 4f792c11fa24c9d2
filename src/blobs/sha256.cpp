// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "blobs/sha256.hpp"

#include <array>
#include <cstddef>
#include <fstream>

#include <openssl/evp.h>

#include "base/assert.hpp"

namespace idlewatt::blobs {

namespace {

constexpr std::size_t file_slice_bytes = 1024 * 1024;

}  // namespace

struct Sha256::Context {
    Context() : evp(EVP_MD_CTX_new()) {
        IDLEWATT_ASSERT(evp != nullptr && EVP_DigestInit_ex(evp, EVP_sha256(), nullptr) == 1);
    }
    ~Context() { EVP_MD_CTX_free(evp); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    EVP_MD_CTX* evp;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
    IDLEWATT_ASSERT(EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::digest() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
    unsigned int length = 0;
    IDLEWATT_ASSERT(EVP_DigestFinal_ex(context_->evp, raw.data(), &length) == 1 && length == 32);
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(std::size_t{2} * length);
    for (unsigned int i = 0; i < length; ++i) {
        text += digits[raw.at(i) >> 4U];
        text += digits[raw.at(i) & 15U];
    }
    return text;
}

std::string sha256_of(std::string_view bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.digest();
}

base::Result<FileDigest> sha256_of_file(const std::string& path,
                                        const std::function<void(std::uint64_t)>& on_bytes) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return base::fail_errno("cannot open " + path);
    Sha256 hash;
    FileDigest made;
    std::string slice(file_slice_bytes, '\0');
    while (file) {
        file.read(slice.data(), static_cast<std::streamsize>(slice.size()));
        const auto count = static_cast<std::size_t>(file.gcount());
        hash.update(std::string_view(slice).substr(0, count));
        made.bytes += count;
        if (on_bytes)
            on_bytes(made.bytes);
    }
    if (!file.eof())
        return base::fail_errno("cannot read " + path);
    made.sha256 = hash.digest();
    return made;
}

}  // namespace idlewatt::blobs
