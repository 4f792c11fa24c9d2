// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The coordinator's memory: who is enrolled and which receipts have arrived. Hides the database
// (SOCI over SQLite). What is acknowledged has been committed.
//
// Lifecycle: opened by sqlite_store.hpp or memory_store.hpp. Destruction waits for the calls under
// way; their callbacks do not run any more. Threads: calls and callbacks belong to the loop given
// at opening; the database works on a thread of its own. Callbacks come in the order of the calls
// that were taken.
// Errors: io when the database refuses (a full disk, damage), limit_exceeded when calls_max wait.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "core/id.hpp"
#include "core/receipt.hpp"

namespace idlewatt::store {

inline constexpr std::size_t calls_max = 4096;

struct Vehicle {
    core::VehicleId id;
    std::string public_key;  // NKey text, also the key under its receipts
    base::WallTime enrolled_at;
    friend bool operator==(const Vehicle&, const Vehicle&) = default;
};

struct StoredReceipt {
    core::Receipt receipt;
    core::SignedReceipt signed_receipt;
    friend bool operator==(const StoredReceipt&, const StoredReceipt&) = default;
};

struct ReceiptTotals {
    std::uint64_t receipts = 0;
    std::uint64_t generated_tokens = 0;
    std::uint64_t acknowledged_tokens = 0;
    friend bool operator==(const ReceiptTotals&, const ReceiptTotals&) = default;
};

class Store {
public:
    template <class T>
    using Callback = std::function<void(base::Result<T>)>;

    virtual ~Store() = default;

    // Adds or replaces.
    virtual void put_vehicle(Vehicle vehicle, Callback<void> done) = 0;
    virtual void list_vehicles(Callback<std::vector<Vehicle>> done) = 0;

    // One transaction for all: after an error none of them is there. A receipt that is already
    // there, or another one of the same vehicle and attempt, is left as it is: sending one twice
    // is harmless. The result is how many were new.
    virtual void add_receipts(std::vector<StoredReceipt> receipts, Callback<std::size_t> done) = 0;
    virtual void receipt_totals(Callback<ReceiptTotals> done) = 0;
};

}  // namespace idlewatt::store
