// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "store/memory_store.hpp"

namespace idlewatt::store {

namespace {

class MemoryStore final : public Store {
public:
    MemoryStore(base::Loop& loop, std::shared_ptr<MemoryDatabase> database)
        : loop_(loop), database_(std::move(database)) {}

    void put_vehicle(Vehicle vehicle, Callback<void> done) override {
        call<void>(std::move(done), [vehicle = std::move(vehicle)](MemoryDatabase& database) {
            database.vehicles[vehicle.id] = vehicle;
        });
    }

    void list_vehicles(Callback<std::vector<Vehicle>> done) override {
        call<std::vector<Vehicle>>(std::move(done), [](MemoryDatabase& database) {
            std::vector<Vehicle> all;
            for (const auto& [id, vehicle] : database.vehicles)
                all.push_back(vehicle);
            return all;
        });
    }

    void add_receipts(std::vector<StoredReceipt> receipts, Callback<std::size_t> done) override {
        call<std::size_t>(std::move(done),
                          [receipts = std::move(receipts)](MemoryDatabase& database) {
                              std::size_t added = 0;
                              for (const StoredReceipt& one : receipts) {
                                  const core::Receipt& receipt = one.receipt;
                                  const std::pair attempt{receipt.vehicle, receipt.attempt};
                                  if (database.attempts.contains(attempt))
                                      continue;
                                  if (!database.ids.emplace(receipt.vehicle, receipt.id).second)
                                      continue;
                                  database.attempts.insert(attempt);
                                  database.receipts.push_back(one);
                                  ++added;
                              }
                              return added;
                          });
    }

    void receipt_totals(Callback<ReceiptTotals> done) override {
        call<ReceiptTotals>(std::move(done), [](MemoryDatabase& database) {
            ReceiptTotals totals;
            for (const StoredReceipt& one : database.receipts) {
                ++totals.receipts;
                totals.generated_tokens += one.receipt.generated_tokens;
                totals.acknowledged_tokens += one.receipt.acknowledged_tokens;
            }
            return totals;
        });
    }

private:
    // The work is done now, as by a database that is killed only after the commit; the answer
    // comes after the latency.
    template <class T, class Work>
    void call(Callback<T> done, Work work) {
        base::Result<T> result =
            base::fail(base::ErrorKind::unavailable, "store in memory: told to fail");
        if (waiting_->count >= calls_max) {
            result = base::fail(base::ErrorKind::limit_exceeded, "store: too many calls wait");
        } else if (!database_->failing) {
            if constexpr (std::is_void_v<T>) {
                work(*database_);
                result = {};
            } else {
                result = work(*database_);
            }
        }
        ++waiting_->count;
        loop_.after(database_->latency, [waiting = std::weak_ptr(waiting_), done = std::move(done),
                                         result = std::move(result)] {
            const auto alive = waiting.lock();
            if (!alive)
                return;
            --alive->count;
            done(result);
        });
    }

    struct Waiting {
        std::size_t count = 0;
    };

    base::Loop& loop_;
    std::shared_ptr<MemoryDatabase> database_;
    std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();  // gone with the store
};

}  // namespace

std::unique_ptr<Store> open_memory_store(base::Loop& loop,
                                         std::shared_ptr<MemoryDatabase> database) {
    return std::make_unique<MemoryStore>(loop, std::move(database));
}

}  // namespace idlewatt::store
