// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The coordinator of a cell: it keeps the list of cars and takes their receipts. It is not in the
// path of any request, so its absence costs no answer; cars keep their receipts until it is back.
//
// Lifecycle: start() once; destruction stops it, and what was not answered is sent again by the
// cars. Threads: the loop's. Errors are logged; a batch that cannot be committed gets no answer.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "bus/bus.hpp"
#include "coordinator/coordinator_core.hpp"
#include "store/store.hpp"
#include "wire/subject.hpp"

namespace idlewatt::coordinator {

struct Parts {
    base::Loop& loop;
    bus::Bus& bus;
    store::Store& store;
};

struct Options {
    std::string cell;
};

struct Counts {
    std::uint64_t batches = 0;
    std::uint64_t batches_not_taken = 0;  // no room, or not readable
    std::uint64_t receipts_committed = 0;
    std::uint64_t receipts_refused = 0;
};

class Coordinator {
public:
    Coordinator(const Parts& parts, Options options);
    ~Coordinator();

    Coordinator(const Coordinator&) = delete;
    Coordinator& operator=(const Coordinator&) = delete;

    void start();

    // Adds the car or replaces its key; done when it is in the store.
    void enrol(core::VehicleId vehicle, std::string public_key,
               std::function<void(base::Result<void>)> done);

    [[nodiscard]] const Counts& counts() const { return counts_; }
    [[nodiscard]] std::size_t vehicles_known() const { return core_.vehicles_known(); }

private:
    struct Check;

    void on_receipts(const bus::Message& message);
    void on_totals(const bus::Message& message);

    void feed(const Event& event);
    void run(LoadVehicles& effect);
    void run(StoreVehicle& effect);
    void run(Enrolled& effect);
    void run(CheckSignatures& effect);
    void run(Commit& effect);
    void run(Answer& effect);
    void run(Forget& effect);
    void run(WakeAfter& effect);
    void run(Log& effect);
    void check_some(const std::shared_ptr<Check>& check);

    base::Loop& loop_;
    bus::Bus& bus_;
    store::Store& store_;
    wire::Subjects subjects_;
    CoordinatorCore core_;
    Counts counts_;
    std::uint64_t next_batch_ = 1;
    std::map<BatchId, bus::Message> requests_;  // without their payload: where to answer
    std::multimap<core::VehicleId, std::function<void(base::Result<void>)>> enrolling_;
    std::vector<bus::SubscriptionId> subscriptions_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
