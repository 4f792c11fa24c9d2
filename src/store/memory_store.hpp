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
    std::vector<StoredDelivery> deliveries{};
    std::set<std::pair<core::GatewayId, core::DeliveryId>> delivery_ids{};
    std::set<std::pair<core::GatewayId, core::AttemptId>> delivered_attempts{};
    std::map<std::string, Enrolment> enrolments{};
    std::uint64_t key_book_version = 0;
    std::map<core::KeyId, core::ApiKey> keys{};
    std::map<std::string, core::Model> models{};
    std::map<core::VehicleId, VehicleAssignment> assignments{};
    std::map<std::string, File> files{};
    std::map<std::string, Batch> batches{};
    std::map<std::pair<std::string, std::uint32_t>, BatchItem> lines{};  // by batch and line
};

[[nodiscard]] std::unique_ptr<Store> open_memory_store(base::Loop& loop,
                                                       std::shared_ptr<MemoryDatabase> database);

}  // namespace idlewatt::store
