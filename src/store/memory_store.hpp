// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The store's in-memory twin. The data lives in a MemoryDatabase, which outlives the store as a
// file outlives a coordinator, and which can be slow and can fail.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/loop.hpp"
#include "store/store.hpp"

namespace idlewatt::store {

struct MemoryDatabase {
    bool failing = false;                              // every call ends in an error
    base::Duration latency = base::microseconds(300);  // of each call
    std::vector<StoredReceipt> receipts;               // in the order of their arrival
    std::map<core::VehicleId, Vehicle> vehicles;
    std::set<std::pair<core::VehicleId, core::ReceiptId>> ids;
    std::set<std::pair<core::VehicleId, core::AttemptId>> attempts;
};

[[nodiscard]] std::unique_ptr<Store> open_memory_store(base::Loop& loop,
                                                       std::shared_ptr<MemoryDatabase> database);

}  // namespace idlewatt::store
