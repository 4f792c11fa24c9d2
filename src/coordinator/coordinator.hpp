// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The coordinator of a cell: it keeps the list of cars and takes their receipts, and, if it is
// given the keys to sign with, enrols cars, renews and revokes their credentials, keeps API keys
// and models, says which car is to hold which model, and takes gateways' delivery records. It is
// not in the path of any request, so its absence costs no answer: cars and gateways go on with what
// they were told last, and keep their records until it is back.
//
// Lifecycle: start() once; destruction stops it, and what was not answered is sent again. Threads:
// the loop's. Errors are logged; a batch that cannot be committed gets no answer.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.hpp"
#include "blobs/blobs.hpp"
#include "bus/bus.hpp"
#include "coordinator/cars.hpp"
#include "coordinator/coordinator_core.hpp"
#include "coordinator/credentials.hpp"
#include "http/http.hpp"
#include "store/store.hpp"
#include "wire/subject.hpp"

namespace idlewatt::coordinator {

struct Parts {
    base::Loop& loop;
    bus::Bus& bus;  // with system credentials, or nobody can be revoked
    store::Store& store;
    http::Server* server = nullptr;  // the coordinator's own address; none: nobody can enrol
    blobs::Blobs* blobs = nullptr;   // of models; none: they come from elsewhere
};

struct Options {
    std::string cell;
    // All that follows is for a coordinator that signs.
    std::optional<Authority> authority{};
    base::Duration jwt_life = jwt_life_default;
    std::vector<std::string> nats_urls{};  // as cars reach them
    std::string public_url{};              // as cars reach the server: https://host:port
    std::string operator_key_sha256{};     // of a key that is not in the store; empty: none
    std::uint64_t seed = 0;                // of ids
};

struct Counts {
    std::uint64_t batches = 0;
    std::uint64_t batches_not_taken = 0;  // no room, or not readable
    std::uint64_t receipts_committed = 0;
    std::uint64_t receipts_refused = 0;
};

class Coordinator final : private Cars {
public:
    Coordinator(const Parts& parts, Options options);
    ~Coordinator() override;

    Coordinator(const Coordinator&) = delete;
    Coordinator& operator=(const Coordinator&) = delete;

    void start();

    // Adds the car or replaces its key; done when it is in the store.
    void enrol(core::VehicleId vehicle, std::string public_key,
               std::function<void(base::Result<void>)> done);

    [[nodiscard]] const Counts& counts() const { return counts_; }
    [[nodiscard]] std::size_t vehicles_known() const { return core_.vehicles().size(); }
    // The servers know all who are revoked.
    [[nodiscard]] bool revocations_settled() const;

private:
    struct Check;
    struct Desks;

    // Cars
    [[nodiscard]] const store::Vehicle* find(const core::VehicleId& vehicle) const override;
    [[nodiscard]] bool loaded() const override { return core_.list_was_read(); }
    [[nodiscard]] std::vector<store::Vehicle> all() const override;
    [[nodiscard]] std::vector<store::Vehicle> revoked() const override;
    void look_again() override { feed(CarUnknown{}); }
    void put(store::Vehicle vehicle, std::function<void(base::Result<void>)> done) override;
    void stored(const store::Vehicle& vehicle) override { feed(VehicleStored{vehicle, {}, false}); }

    void on_renewal(const bus::Message& message);

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
    std::unique_ptr<Desks> desks_;  // nullptr: it does not sign
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
