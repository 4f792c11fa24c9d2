// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The files of all clients, as the store has them. A key sees its own only. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "store/batch_rows.hpp"

namespace idlewatt::coordinator {

// Of a cell: their rows are kept in memory.
inline constexpr std::size_t files_max = 50'000;

struct FileQuery {
    std::string after;    // an id; empty: from the beginning
    std::string purpose;  // empty: any
    std::size_t limit = 0;
    bool ascending = false;
};

struct FilePage {
    std::vector<store::File> files{};
    bool more = false;
};

class FileBook {
public:
    void put(const store::File& file);
    void erase(const std::string& id);

    [[nodiscard]] std::size_t count() const { return files_.size(); }
    // Of one key. Files that share their bytes are counted each.
    struct Share {
        std::size_t files = 0;
        std::uint64_t bytes = 0;
    };
    [[nodiscard]] Share share_of(const core::KeyId& key) const;
    [[nodiscard]] const store::File* find(const std::string& id) const;
    // nullptr: there is none, or it is somebody else's.
    [[nodiscard]] const store::File* find(const std::string& id, const core::KeyId& key) const;
    [[nodiscard]] FilePage page(const core::KeyId& key, const FileQuery& query) const;
    [[nodiscard]] std::vector<store::File> expired(base::WallTime now) const;
    [[nodiscard]] bool has_blob(std::string_view sha256) const;

private:
    std::map<std::string, store::File> files_;  // ids are ordered by time
    std::map<core::KeyId, Share> shares_;       // of keys that have files
};

}  // namespace idlewatt::coordinator
