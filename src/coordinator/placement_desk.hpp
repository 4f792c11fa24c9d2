// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Answers cars that ask what to hold, listens to what cars and gateways say of themselves, lets the
// placer decide every few seconds, and tells cars whose assignment has changed. Changes are made
// one after the other, each in the store before it is told; cars keep what they were told last, so
// nothing here is needed for serving. Threads: the loop's.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "bus/bus.hpp"
#include "coordinator/cars.hpp"
#include "coordinator/placer.hpp"
#include "store/store.hpp"
#include "wire/subject.hpp"

namespace idlewatt::coordinator {

inline constexpr base::Duration placement_period = base::seconds(5);
// A car that asks and has nothing yet is not kept waiting that long.
inline constexpr base::Duration placement_soon = base::milliseconds(200);
inline constexpr base::Duration placement_retry = base::seconds(1);

struct PlacementOptions {
    std::string cell;
    std::string blobs_url;  // ends in a slash
    // The model's bytes are there to be fetched.
    std::function<bool(const core::Model&)> has_bytes;
};

class PlacementDesk {
public:
    using Done = std::function<void(base::Result<void>)>;

    PlacementDesk(base::Loop& loop, bus::Bus& bus, store::Store& store, Cars& cars,
                  PlacementOptions options);
    ~PlacementDesk();

    PlacementDesk(const PlacementDesk&) = delete;
    PlacementDesk& operator=(const PlacementDesk&) = delete;

    // Reads models and assignments, until it succeeds.
    void start();
    [[nodiscard]] const Placer& placer() const { return placer_; }

    // Done when it is in the store.
    void add_model(const core::Model& model, Done done);
    void remove_model(const std::string& name, Done done);
    // The bus is there again.
    void connected() { placer_.listen_from(loop_.now()); }
    // An operator has changed the car.
    void touch(const core::VehicleId& vehicle);
    // Do not wait for the next period: a model's bytes have arrived, say.
    void place_soon();
    // Told once the models are known.
    void on_loaded(std::function<void()> loaded) { on_loaded_ = std::move(loaded); }

private:
    using Make = std::function<Placer::Changes()>;

    void load();
    void on_asked(const bus::Message& message);
    void on_announced(const bus::Message& message);
    void on_demanded(const bus::Message& message);
    void tick();
    void change(Make make);
    void run_changes();
    void written(const Placer::Changes& changes, const base::Result<void>& done);
    [[nodiscard]] Placer::Changes place();
    // Whoever hears nobody must not conclude that nobody is there.
    [[nodiscard]] bool may_place() const {
        return placer_.loaded() && changes_.empty() && bus_.connected();
    }

    base::Loop& loop_;
    bus::Bus& bus_;
    store::Store& store_;
    Cars& cars_;
    PlacementOptions options_;
    wire::Subjects subjects_;
    Placer placer_;
    std::deque<Make> changes_;  // the first one is under way
    bool writing_ = false;
    base::TimerId tick_timer_{};
    base::TimerId soon_timer_{};
    bool soon_ = false;
    std::function<void()> on_loaded_;
    std::vector<bus::SubscriptionId> subscriptions_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
