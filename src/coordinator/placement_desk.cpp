// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/placement_desk.hpp"

#include <utility>

#include "base/log.hpp"
#include "wire/cell.hpp"
#include "wire/wire.hpp"

namespace idlewatt::coordinator {

PlacementDesk::PlacementDesk(base::Loop& loop, bus::Bus& bus, store::Store& store, Cars& cars,
                             PlacementOptions options)
    : loop_(loop),
      bus_(bus),
      store_(store),
      cars_(cars),
      options_(std::move(options)),
      subjects_{options_.cell} {
    const auto hear = [this](const std::string& subject,
                             void (PlacementDesk::*heard)(const bus::Message&)) {
        subscriptions_.push_back(bus_.subscribe(
            subject, [this, heard](const bus::Message& message) { (this->*heard)(message); }));
    };
    hear(subjects_.all_assignments(), &PlacementDesk::on_asked);
    hear(subjects_.all_announcements(), &PlacementDesk::on_announced);
    hear(subjects_.all_demands(), &PlacementDesk::on_demanded);
}

PlacementDesk::~PlacementDesk() {
    loop_.cancel(tick_timer_);
    loop_.cancel(soon_timer_);
    for (const bus::SubscriptionId subscription : subscriptions_)
        bus_.unsubscribe(subscription);
}

void PlacementDesk::start() {
    load();
    tick_timer_ = loop_.after(placement_period, [this] { tick(); });
}

void PlacementDesk::load() {
    const auto again = [this](const base::Error& error) {
        base::log_warning("coordinator", error.message);
        loop_.after(placement_retry, [this, alive = std::weak_ptr(alive_)] {
            if (!alive.expired())
                load();
        });
    };
    store_.list_models([this, again, alive = std::weak_ptr(alive_)](
                           const base::Result<std::vector<core::Model>>& models) {
        if (alive.expired())
            return;
        if (!models)
            return again(models.error());
        store_.list_assignments([this, again, alive, models = *models](
                                    const base::Result<Placer::Changes>& assignments) {
            if (alive.expired())
                return;
            if (!assignments)
                return again(assignments.error());
            placer_.load(models, *assignments, loop_.now());
            run_changes();
            if (on_loaded_)
                on_loaded_();
        });
    });
}

// ── what is heard ───────────────────────────────────────────────────────────────────────────────

void PlacementDesk::on_asked(const bus::Message& message) {
    const auto vehicle = wire::parse_vehicle(message.subject);
    const auto capacity = wire::decode_capacity(message.payload);
    if (!vehicle || !capacity)
        return;
    const store::Vehicle* const car = cars_.find(*vehicle);
    if (car == nullptr)
        return cars_.look_again();
    if (!placer_.loaded())
        return;  // it goes on with what it has, and asks again
    placer_.asked(*vehicle, *capacity, loop_.now());
    if (!placer_.has_assignment(*vehicle))
        place_soon();
    if (!message.reply.empty())
        bus_.reply(message, wire::encode(placer_.assignment(*car, options_.blobs_url)));
}

void PlacementDesk::on_announced(const bus::Message& message) {
    const auto vehicle = wire::parse_vehicle(message.subject);
    const auto announcement = wire::decode_announcement(message.payload);
    if (!vehicle || !announcement || announcement->vehicle != *vehicle)
        return;
    if (cars_.find(*vehicle) == nullptr)
        return cars_.look_again();
    placer_.announced(*announcement, loop_.now());
}

void PlacementDesk::on_demanded(const bus::Message& message) {
    const auto gateway = wire::parse_gateway(message.subject);
    const auto demands = wire::decode_demands(message.payload);
    if (gateway && demands)
        placer_.demanded(*gateway, *demands, loop_.now());
}

// ── what is changed ─────────────────────────────────────────────────────────────────────────────

void PlacementDesk::tick() {
    tick_timer_ = loop_.after(placement_period, [this] { tick(); });
    if (may_place())
        change([this] { return place(); });
}

void PlacementDesk::place_soon() {
    if (soon_)
        return;
    soon_ = true;
    soon_timer_ = loop_.after(placement_soon, [this] {
        soon_ = false;
        if (may_place())
            change([this] { return place(); });
    });
}

Placer::Changes PlacementDesk::place() {
    const auto may_serve = [this](const core::VehicleId& vehicle) {
        const store::Vehicle* const car = cars_.find(vehicle);
        return car != nullptr && !car->revoked_at && !car->paused && !car->draining;
    };
    return placer_.place(loop_.now(), {may_serve, options_.has_bytes});
}

void PlacementDesk::touch(const core::VehicleId& vehicle) {
    change([this, vehicle] { return Placer::Changes{placer_.touched(vehicle)}; });
}

void PlacementDesk::add_model(const core::Model& model, Done done) {
    store_.put_model(model, [this, alive = std::weak_ptr(alive_), model,
                             done = std::move(done)](const base::Result<void>& stored) {
        if (alive.expired())
            return;
        if (stored) {
            change([this, model] { return placer_.put_model(model); });
            place_soon();
        }
        done(stored);
    });
}

void PlacementDesk::remove_model(const std::string& name, Done done) {
    store_.erase_model(name, [this, alive = std::weak_ptr(alive_), name,
                              done = std::move(done)](const base::Result<void>& erased) {
        if (alive.expired())
            return;
        if (erased)
            change([this, name] { return placer_.erase_model(name); });
        done(erased);
    });
}

// Versions are counted up from what is stored, so a change is made only when that has been read,
// and the one before is stored.
void PlacementDesk::change(Make make) {
    changes_.push_back(std::move(make));
    run_changes();
}

void PlacementDesk::run_changes() {
    while (placer_.loaded() && !writing_ && !changes_.empty()) {
        const Placer::Changes changes = changes_.front()();
        if (changes.empty()) {
            changes_.pop_front();
            continue;
        }
        writing_ = true;
        store_.put_assignments(changes, [this, alive = std::weak_ptr(alive_),
                                         changes](const base::Result<void>& done) {
            if (!alive.expired())
                written(changes, done);
        });
    }
}

void PlacementDesk::written(const Placer::Changes& changes, const base::Result<void>& done) {
    if (!done) {
        base::log_warning("coordinator", "assignments are not stored: " + done.error().message);
        loop_.after(placement_retry, [this, alive = std::weak_ptr(alive_)] {
            if (alive.expired())
                return;
            writing_ = false;
            run_changes();
        });
        return;
    }
    placer_.apply(changes, loop_.now());
    for (const store::VehicleAssignment& change : changes)
        bus_.publish(subjects_.assignment_order(change.vehicle), "");
    writing_ = false;
    changes_.pop_front();
    run_changes();
}

}  // namespace idlewatt::coordinator
