// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a store of blobs knows of each: how far it is, when it was last used, whether it is pinned;
// and which ones make room for another. Pure. Only for the sources of this module.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "blobs/blobs.hpp"

namespace idlewatt::blobs {

class BlobIndex {
public:
    explicit BlobIndex(std::uint64_t bytes_limit) : bytes_limit_(bytes_limit) {}

    // Found on the disk at opening, in the order of their last uses.
    void found(const std::string& sha256, std::uint64_t bytes, bool complete);

    // Whether put() may be tried at all.
    [[nodiscard]] static base::Result<void> check(std::string_view sha256,
                                                  std::uint64_t bytes_total, std::uint64_t offset,
                                                  std::size_t bytes);
    // Makes an entry of this size, or gives an entry this size, and names what has to go for it
    // (and is gone from here). free_bytes is what the disk has left.
    [[nodiscard]] base::Result<std::vector<std::string>> reserve(const std::string& sha256,
                                                                 std::uint64_t bytes_total,
                                                                 std::uint64_t free_bytes);
    // Nothing to do when it has been dropped meanwhile.
    void is_now(std::string_view sha256, Progress progress);
    void drop(std::string_view sha256);
    void use(std::string_view sha256);

    void pin(std::string_view sha256);
    void unpin(std::string_view sha256);
    [[nodiscard]] bool pinned(std::string_view sha256) const;

    [[nodiscard]] bool has(std::string_view sha256) const;
    [[nodiscard]] Progress progress(std::string_view sha256) const;
    [[nodiscard]] std::uint64_t bytes_used() const;
    [[nodiscard]] std::uint64_t bytes_limit() const { return bytes_limit_; }
    // Complete ones, least recently used first, without paths.
    [[nodiscard]] std::vector<Blob> complete() const;

private:
    struct Entry {
        std::uint64_t bytes_total = 0;
        Progress progress;
        std::uint64_t used = 0;
    };
    [[nodiscard]] std::optional<std::string> least_recently_used(
        std::string_view but_not, const std::vector<std::string>& nor) const;

    std::uint64_t bytes_limit_;
    std::uint64_t uses_ = 0;
    std::map<std::string, Entry, std::less<>> entries_;
    std::map<std::string, std::uint32_t, std::less<>> pins_;
};

}  // namespace idlewatt::blobs
