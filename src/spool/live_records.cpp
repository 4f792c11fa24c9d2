// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "spool/live_records.hpp"

#include "base/assert.hpp"

namespace idlewatt::spool {

namespace {

tl::unexpected<base::Error> beyond(const char* what, std::size_t found, std::size_t limit) {
    return base::fail(base::ErrorKind::limit_exceeded,
                      std::string("spool: ") + what + " would have " + std::to_string(found) +
                          " bytes, the limit is " + std::to_string(limit));
}

}  // namespace

base::Result<void> LiveRecords::check_put(std::string_view key, std::string_view value) const {
    if (key.empty() || key.size() > key_bytes_max) {
        return beyond("a key", key.size(), key_bytes_max);
    }
    const std::size_t added = key.size() + value.size();
    if (added > record_bytes_max)
        return beyond("a record", added, record_bytes_max);
    const auto known = order_.find(std::string(key));
    const std::size_t replaced =
        known == order_.end() ? 0 : key.size() + records_.at(known->second).value.size();
    if (bytes_ - replaced + added > spool_bytes_max) {
        return beyond("all records", bytes_ - replaced + added, spool_bytes_max);
    }
    return {};
}

void LiveRecords::put(std::string_view key, std::string_view value) {
    const auto [known, is_new] = order_.try_emplace(std::string(key), next_);
    Record& record = records_[known->second];
    if (is_new) {
        ++next_;
        record.key = key;
        bytes_ += key.size();
    }
    bytes_ = bytes_ - record.value.size() + value.size();
    record.value = value;
}

void LiveRecords::erase(std::string_view key) {
    const auto known = order_.find(std::string(key));
    if (known == order_.end())
        return;
    const auto record = records_.find(known->second);
    IDLEWATT_ASSERT(record != records_.end());
    bytes_ -= record->second.key.size() + record->second.value.size();
    records_.erase(record);
    order_.erase(known);
}

bool LiveRecords::has(std::string_view key) const {
    return order_.contains(std::string(key));
}

std::vector<Record> LiveRecords::all() const {
    std::vector<Record> all;
    all.reserve(records_.size());
    for (const auto& [order, record] : records_)
        all.push_back(record);
    return all;
}

}  // namespace idlewatt::spool
