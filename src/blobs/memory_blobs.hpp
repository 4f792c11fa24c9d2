// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The store's in-memory twin. The bytes live in a MemoryShelf, which outlives the store as a disk
// outlives a process, and which can fill up.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "blobs/blobs.hpp"

namespace idlewatt::blobs {

struct MemoryShelf {
    struct File {
        std::string bytes;
        bool complete = false;
        std::uint64_t used = 0;  // grows with each use
    };
    std::map<std::string, File, std::less<>> files;
    std::uint64_t uses = 0;
    // No byte more than these in all, like a full disk.
    std::uint64_t capacity_bytes = UINT64_MAX;
};

[[nodiscard]] std::unique_ptr<Blobs> open_memory_blobs(base::Loop& loop,
                                                       std::shared_ptr<MemoryShelf> shelf,
                                                       std::uint64_t bytes_limit);

}  // namespace idlewatt::blobs
