// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "store/soci_store.hpp"

#include <utility>

namespace idlewatt::store {

namespace {

constexpr std::size_t group_receipts_max = 4096;

}  // namespace

SociStore::SociStore(base::Loop& loop, std::unique_ptr<Database> database)
    : loop_(loop), database_(std::move(database)), thread_([this] { work(); }) {}

SociStore::~SociStore() {
    alive_.reset();
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void SociStore::put_vehicle(Vehicle vehicle, Callback<void> done) {
    enqueue(PutVehicle{std::move(vehicle), std::move(done)});
}
void SociStore::list_vehicles(Callback<std::vector<Vehicle>> done) {
    enqueue(ListVehicles{std::move(done)});
}
void SociStore::add_receipts(std::vector<StoredReceipt> receipts, Callback<std::size_t> done) {
    enqueue(AddReceipts{std::move(receipts), std::move(done)});
}
void SociStore::receipt_totals(Callback<ReceiptTotals> done) {
    enqueue(Totals{std::move(done)});
}

template <class T>
void SociStore::enqueue(T call) {
    {
        const std::lock_guard lock(mutex_);
        if (queue_.size() < calls_max) {
            queue_.emplace_back(std::move(call));
            changed_.notify_one();
            return;
        }
    }
    answer(std::move(call.done), {base::fail(base::ErrorKind::limit_exceeded,
                                             "store: " + std::to_string(calls_max) +
                                                 " calls wait already; try again later")});
}

template <class T>
void SociStore::answer(Callback<T> done, base::Result<T> result) {
    loop_.post([alive = alive_mark_, done = std::move(done), result = std::move(result)]() mutable {
        if (!alive.expired())
            done(std::move(result));
    });
}

void SociStore::work() {
    while (true) {
        std::deque<Call> calls;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return closing_ || !queue_.empty(); });
            if (queue_.empty())
                return;
            calls.swap(queue_);
        }
        while (!calls.empty()) {
            if (std::holds_alternative<AddReceipts>(calls.front())) {
                run_group(calls);
                continue;
            }
            std::visit([this](auto& call) { run(call); }, calls.front());
            calls.pop_front();
        }
    }
}

void SociStore::run(PutVehicle& call) {
    answer(std::move(call.done), database_->put_vehicle(call.vehicle));
}
void SociStore::run(ListVehicles& call) {
    answer(std::move(call.done), database_->list_vehicles());
}
void SociStore::run(Totals& call) {
    answer(std::move(call.done), database_->receipt_totals());
}

// Takes the calls of one transaction off the front.
void SociStore::run_group(std::deque<Call>& calls) {
    std::vector<AddReceipts> group;
    std::size_t receipts = 0;
    while (!calls.empty() && receipts < group_receipts_max) {
        auto* call = std::get_if<AddReceipts>(&calls.front());
        if (call == nullptr)
            break;
        receipts += call->receipts.size();
        group.push_back(std::move(*call));
        calls.pop_front();
    }
    std::vector<const std::vector<StoredReceipt>*> batches;
    for (const AddReceipts& call : group)
        batches.push_back(&call.receipts);
    const base::Result<std::vector<std::size_t>> added = database_->add_receipts(batches);
    for (std::size_t i = 0; i < group.size(); ++i) {
        base::Result<std::size_t> result = tl::unexpected(base::Error{});
        if (added) {
            result = added->at(i);
        } else {
            result = tl::unexpected(added.error());
        }
        answer(std::move(group[i].done), std::move(result));
    }
}

}  // namespace idlewatt::store
