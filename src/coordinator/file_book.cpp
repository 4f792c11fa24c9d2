// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/file_book.hpp"

#include <algorithm>

namespace idlewatt::coordinator {

namespace {

// Adds the file if it is asked for; false when the page is full.
bool add_to_page(const store::File& file, const core::KeyId& key, const FileQuery& query,
                 FilePage& page) {
    if (file.key != key || (!query.purpose.empty() && file.purpose != query.purpose))
        return true;
    page.more = page.files.size() == query.limit;
    if (!page.more)
        page.files.push_back(file);
    return !page.more;
}

}  // namespace

void FileBook::put(const store::File& file) {
    erase(file.id);
    files_[file.id] = file;
    Share& share = shares_[file.key];
    ++share.files;
    share.bytes += file.bytes;
}

void FileBook::erase(const std::string& id) {
    const auto file = files_.extract(id);
    if (!file)
        return;
    const auto share = shares_.find(file.mapped().key);
    share->second.bytes -= file.mapped().bytes;
    // Counted by files, since some have no bytes.
    if (--share->second.files == 0)
        shares_.erase(share);
}

FileBook::Share FileBook::share_of(const core::KeyId& key) const {
    const auto found = shares_.find(key);
    return found == shares_.end() ? Share{} : found->second;
}

const store::File* FileBook::find(const std::string& id) const {
    const auto found = files_.find(id);
    return found == files_.end() ? nullptr : &found->second;
}

const store::File* FileBook::find(const std::string& id, const core::KeyId& key) const {
    const store::File* file = find(id);
    return file != nullptr && file->key == key ? file : nullptr;
}

FilePage FileBook::page(const core::KeyId& key, const FileQuery& query) const {
    FilePage page;
    if (query.ascending) {
        for (auto one = files_.upper_bound(query.after); one != files_.end(); ++one) {
            if (!add_to_page(one->second, key, query, page))
                break;
        }
        return page;
    }
    auto one = query.after.empty() ? files_.end() : files_.lower_bound(query.after);
    while (one != files_.begin()) {
        --one;
        if (!add_to_page(one->second, key, query, page))
            break;
    }
    return page;
}

std::vector<store::File> FileBook::expired(base::WallTime now) const {
    std::vector<store::File> expired;
    for (const auto& [id, file] : files_) {
        if (file.expires_at && *file.expires_at <= now)
            expired.push_back(file);
    }
    return expired;
}

bool FileBook::has_blob(std::string_view sha256) const {
    return std::ranges::any_of(files_,
                               [&](const auto& one) { return one.second.sha256 == sha256; });
}

}  // namespace idlewatt::coordinator
