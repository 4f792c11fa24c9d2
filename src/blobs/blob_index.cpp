// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "blobs/blob_index.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "core/model.hpp"

namespace idlewatt::blobs {

void BlobIndex::found(const std::string& sha256, std::uint64_t bytes, bool complete) {
    entries_[sha256] = {bytes, {bytes, complete}, ++uses_};
}

base::Result<void> BlobIndex::check(std::string_view sha256, std::uint64_t bytes_total,
                                    std::uint64_t offset, std::size_t bytes) {
    if (!core::is_sha256(sha256)) {
        return base::fail(base::ErrorKind::bad_input,
                          "a blob's name is its SHA-256: 64 hexadecimal digits in lower case");
    }
    if (bytes_total == 0 || bytes_total > blob_bytes_max) {
        return base::fail(base::ErrorKind::bad_input,
                          "blob " + std::string(sha256) + ": " + std::to_string(bytes_total) +
                              " bytes; a blob has 1 to " + std::to_string(blob_bytes_max));
    }
    if (bytes > part_bytes_max || offset > bytes_total || bytes > bytes_total - offset) {
        return base::fail(base::ErrorKind::bad_input,
                          "blob " + std::string(sha256) + ": a part of " + std::to_string(bytes) +
                              " bytes at " + std::to_string(offset) + " is none of a blob of " +
                              std::to_string(bytes_total) + " bytes; a part has at most " +
                              std::to_string(part_bytes_max));
    }
    return {};
}

base::Result<std::vector<std::string>> BlobIndex::reserve(const std::string& sha256,
                                                          std::uint64_t bytes_total,
                                                          std::uint64_t free_bytes) {
    std::vector<std::string> victims;
    const auto known = entries_.find(sha256);
    if (known != entries_.end() &&
        (known->second.progress.complete || known->second.bytes_total == bytes_total)) {
        known->second.used = ++uses_;
        return victims;
    }
    // Sizes are promises: what is still to be written of them is not free any more.
    std::uint64_t needed = bytes_used() + bytes_total;
    std::uint64_t on_disk = 0;
    for (const auto& [name, entry] : entries_)
        on_disk += entry.progress.bytes;
    if (known != entries_.end())
        needed -= known->second.bytes_total;
    const std::uint64_t room = std::min(bytes_limit_, on_disk + std::min(free_bytes, bytes_limit_));
    while (needed > room) {
        const auto victim = least_recently_used(sha256, victims);
        if (!victim) {
            return base::fail(
                base::ErrorKind::limit_exceeded,
                "blob " + sha256 + ": no room for its " + std::to_string(bytes_total) +
                    " bytes: the store may hold " + std::to_string(bytes_limit_) +
                    ", the disk has " + std::to_string(free_bytes) +
                    " left, and the rest is in use; raise the limit or free some space");
        }
        needed -= entries_.at(*victim).bytes_total;
        victims.push_back(*victim);
    }
    for (const std::string& victim : victims)
        entries_.erase(victim);
    Entry& entry = entries_[sha256];
    entry.bytes_total = bytes_total;
    entry.used = ++uses_;
    return victims;
}

std::optional<std::string> BlobIndex::least_recently_used(
    std::string_view but_not, const std::vector<std::string>& nor) const {
    const std::pair<const std::string, Entry>* found = nullptr;
    for (const auto& candidate : entries_) {
        const bool out = candidate.first == but_not || pinned(candidate.first) ||
                         std::ranges::find(nor, candidate.first) != nor.end();
        if (!out && (found == nullptr || candidate.second.used < found->second.used))
            found = &candidate;
    }
    if (found == nullptr)
        return std::nullopt;
    return found->first;
}

void BlobIndex::is_now(std::string_view sha256, Progress progress) {
    const auto entry = entries_.find(sha256);
    if (entry == entries_.end())
        return;
    entry->second.progress = progress;
    if (progress.complete)
        entry->second.bytes_total = progress.bytes;
}

void BlobIndex::drop(std::string_view sha256) {
    const auto entry = entries_.find(sha256);
    if (entry != entries_.end())
        entries_.erase(entry);
}

void BlobIndex::use(std::string_view sha256) {
    const auto entry = entries_.find(sha256);
    if (entry != entries_.end())
        entry->second.used = ++uses_;
}

void BlobIndex::pin(std::string_view sha256) {
    ++pins_[std::string(sha256)];
    use(sha256);
}

void BlobIndex::unpin(std::string_view sha256) {
    const auto pin = pins_.find(sha256);
    IDLEWATT_ASSERT(pin != pins_.end());
    if (--pin->second == 0)
        pins_.erase(pin);
}

bool BlobIndex::pinned(std::string_view sha256) const {
    return pins_.contains(sha256);
}

bool BlobIndex::has(std::string_view sha256) const {
    return entries_.contains(sha256);
}

Progress BlobIndex::progress(std::string_view sha256) const {
    const auto entry = entries_.find(sha256);
    return entry == entries_.end() ? Progress{} : entry->second.progress;
}

std::uint64_t BlobIndex::bytes_used() const {
    std::uint64_t bytes = 0;
    for (const auto& [name, entry] : entries_)
        bytes += entry.bytes_total;
    return bytes;
}

std::vector<Blob> BlobIndex::complete() const {
    std::map<std::uint64_t, Blob> by_use;
    for (const auto& [name, entry] : entries_) {
        if (entry.progress.complete)
            by_use[entry.used] = {name, entry.progress.bytes, {}};
    }
    std::vector<Blob> blobs;
    for (auto& [used, blob] : by_use)
        blobs.push_back(std::move(blob));
    return blobs;
}

}  // namespace idlewatt::blobs
