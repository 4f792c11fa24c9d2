// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The file of a draft: bytes are appended and hashed on the way; at the end it gets the name that
// its hash gives it. Destroying it before removes it. Only for the sources of this module.
//
// Threads: one, the writing worker's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/descriptor.hpp"
#include "base/result.hpp"
#include "blobs/blobs.hpp"
#include "blobs/sha256.hpp"

namespace idlewatt::blobs {

inline constexpr std::string_view draft_prefix = "draft.";

class DraftFile {
public:
    explicit DraftFile(std::string path) : path_(std::move(path)) {}
    ~DraftFile();

    DraftFile(const DraftFile&) = delete;
    DraftFile& operator=(const DraftFile&) = delete;

    // How many bytes there are now.
    [[nodiscard]] base::Result<std::uint64_t> append(std::string_view bytes);
    // Synced and renamed to <folder>/<sha256>.
    [[nodiscard]] base::Result<Blob> finish(const std::string& folder);

private:
    [[nodiscard]] base::Result<void> open();

    std::string path_;
    base::Descriptor file_;
    Sha256 hash_;
    std::uint64_t bytes_ = 0;
    bool broken_ = false;
};

}  // namespace idlewatt::blobs
