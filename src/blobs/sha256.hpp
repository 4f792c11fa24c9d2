// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// SHA-256 in parts. Hides OpenSSL. Any thread, one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace idlewatt::blobs {

class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void update(std::string_view bytes);
    // 64 hexadecimal digits in lower case; once, at the end.
    [[nodiscard]] std::string digest();

private:
    struct Context;
    std::unique_ptr<Context> context_;
};

[[nodiscard]] std::string sha256_of(std::string_view bytes);

struct FileDigest {
    std::string sha256;
    std::uint64_t bytes = 0;
};
// Reads the whole file, for commands; on_bytes is told how far it is. Error: io.
[[nodiscard]] base::Result<FileDigest> sha256_of_file(
    const std::string& path, const std::function<void(std::uint64_t)>& on_bytes = {});

}  // namespace idlewatt::blobs
