// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A store whose database works on a thread of its own: calls queue up, and all add_receipts calls
// that stand behind each other in the queue become one transaction, so that one sync of the disk
// serves many cars. Only for the sources of this module.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>

#include "base/loop.hpp"
#include "store/database.hpp"

namespace idlewatt::store {

class SociStore final : public Store {
public:
    SociStore(base::Loop& loop, std::unique_ptr<Database> database);
    ~SociStore() override;

    SociStore(const SociStore&) = delete;
    SociStore& operator=(const SociStore&) = delete;

    void put_vehicle(Vehicle vehicle, Callback<void> done) override;
    void list_vehicles(Callback<std::vector<Vehicle>> done) override;
    void add_receipts(std::vector<StoredReceipt> receipts, Callback<std::size_t> done) override;
    void receipt_totals(Callback<ReceiptTotals> done) override;

private:
    struct PutVehicle {
        Vehicle vehicle;
        Callback<void> done;
    };
    struct ListVehicles {
        Callback<std::vector<Vehicle>> done;
    };
    struct AddReceipts {
        std::vector<StoredReceipt> receipts;
        Callback<std::size_t> done;
    };
    struct Totals {
        Callback<ReceiptTotals> done;
    };
    using Call = std::variant<PutVehicle, ListVehicles, AddReceipts, Totals>;

    template <class T>
    void enqueue(T call);
    template <class T>
    void answer(Callback<T> done, base::Result<T> result);

    // On the database's thread.
    void work();
    void run(PutVehicle& call);
    void run(ListVehicles& call);
    void run(AddReceipts& call);
    void run(Totals& call);
    void run_group(std::deque<Call>& calls);

    // Constant after construction.
    base::Loop& loop_;
    // The loop's thread: callbacks look whether the store is still there.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    const std::weak_ptr<bool> alive_mark_ = alive_;

    // Guarded by mutex_.
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Call> queue_;
    bool closing_ = false;

    // The database's thread.
    std::unique_ptr<Database> database_;
    std::thread thread_;  // last: starts when all else is there
};

}  // namespace idlewatt::store
