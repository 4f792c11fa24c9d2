// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A map that holds at most so many entries and knows which was used longest ago. A value.
#pragma once

#include <cstddef>
#include <iterator>
#include <list>
#include <unordered_map>
#include <utility>

#include "base/assert.hpp"

namespace idlewatt::scheduler {

template <class Key, class Value>
class RecentlyUsed {
public:
    using Entry = std::pair<const Key, Value>;

    // Neither counts as use. Valid until the entry is erased; nullptr: not there.
    [[nodiscard]] const Value* peek(const Key& key) const {
        const auto found = places_.find(key);
        return found == places_.end() ? nullptr : &found->second->second;
    }
    [[nodiscard]] Value* find(const Key& key) {
        const auto found = places_.find(key);
        return found == places_.end() ? nullptr : &found->second->second;
    }
    // Makes it the newest.
    [[nodiscard]] Value* use(const Key& key) {
        const auto found = places_.find(key);
        if (found == places_.end())
            return nullptr;
        entries_.splice(entries_.end(), entries_, found->second);
        return &found->second->second;
    }
    // The key must not be there.
    Value& add(const Key& key, Value value) {
        entries_.emplace_back(key, std::move(value));
        const auto [place, added] = places_.emplace(key, std::prev(entries_.end()));
        IDLEWATT_ASSERT(added);
        return entries_.back().second;
    }
    void erase(const Key& key) {
        const auto found = places_.find(key);
        if (found == places_.end())
            return;
        entries_.erase(found->second);
        places_.erase(found);
    }
    // nullptr: empty.
    [[nodiscard]] const Entry* oldest() const {
        return entries_.empty() ? nullptr : &entries_.front();
    }
    // From the oldest on.
    [[nodiscard]] auto begin() const { return entries_.begin(); }
    [[nodiscard]] auto end() const { return entries_.end(); }
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    std::list<Entry> entries_;
    std::unordered_map<Key, typename std::list<Entry>::iterator> places_;
};

}  // namespace idlewatt::scheduler
