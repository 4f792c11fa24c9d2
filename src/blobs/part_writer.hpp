// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Writes the parts of blobs into a folder and gives a blob its name when it is whole, hashed and on
// the disk. The hash goes along with the writing; after a restart the bytes that are there already
// are read once. Only for the sources of this module.
//
// Threads: one, the writing worker's, but for stop(). The bytes in a .part file are all that it
// remembers, so it may die at any point.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/descriptor.hpp"
#include "base/result.hpp"
#include "blobs/blobs.hpp"
#include "blobs/sha256.hpp"

namespace idlewatt::blobs {

// Parts whose hash is kept going; one more makes the first be read again when it goes on.
inline constexpr std::size_t parts_open_max = 16;

inline constexpr std::string_view part_suffix = ".part";

class PartWriter {
public:
    explicit PartWriter(std::string folder) : folder_(std::move(folder)) {}

    // As Blobs::put() says.
    [[nodiscard]] base::Result<Progress> put(const std::string& sha256, std::uint64_t bytes_total,
                                             std::uint64_t offset, std::string_view bytes);
    // Whole or in part.
    [[nodiscard]] base::Result<void> erase(const std::string& sha256);
    // Any thread: breaks off the reading of what is there.
    void stop() { stopped_ = true; }

private:
    struct Part {
        base::Descriptor file;
        std::uint64_t bytes = 0;
        Sha256 hash;
    };

    [[nodiscard]] std::string path(const std::string& sha256) const;
    [[nodiscard]] std::string part_path(const std::string& sha256) const;
    [[nodiscard]] base::Result<Part*> open(const std::string& sha256);
    [[nodiscard]] base::Result<void> hash_what_is_there(Part& part, const std::string& path);
    [[nodiscard]] base::Result<void> write(Part& part, std::string_view bytes,
                                           const std::string& path);
    [[nodiscard]] base::Result<Progress> complete(const std::string& sha256, Part& part);

    std::string folder_;
    std::map<std::string, Part> parts_;
    std::atomic<bool> stopped_ = false;
};

// Of errno. A full disk is told from a broken one: the first can be waited for.
[[nodiscard]] tl::unexpected<base::Error> fail_write(const std::string& what);

// Makes a new name in a folder survive a power cut.
[[nodiscard]] base::Result<void> sync_folder(const std::string& folder);

}  // namespace idlewatt::blobs
