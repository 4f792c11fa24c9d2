// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/fleet_view.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace idlewatt::gateway {

namespace {

scheduler::Abilities abilities_of(const core::Announcement& said) {
    return (said.embeddings ? scheduler::makes_embeddings : 0U) |
           (said.image_input ? scheduler::takes_images : 0U);
}

// An engine that failed is started again at once.
bool is_loading(core::Reason reason) {
    return reason == core::Reason::starting || reason == core::Reason::engine_failed;
}

}  // namespace

std::optional<CarNumber> FleetView::find(const core::VehicleId& vehicle,
                                         std::uint64_t identity) const {
    return names_.find(identity,
                       [&](CarNumber number) { return cars_[number].said.vehicle == vehicle; });
}

FleetView::News FleetView::announced(const core::Announcement& announcement,
                                     const std::string& fleet, base::Instant now) {
    const std::uint64_t identity = scheduler::stable_hash(announcement.vehicle.value);
    const auto known = find(announcement.vehicle, identity);
    if (!known) {
        if (cars_.size() >= cars_max)
            return {};
        const auto number = static_cast<CarNumber>(cars_.size());
        names_.add(identity, number);
        Car& car = cars_.emplace_back();
        car.heard_at = now;
        car.said.vehicle = announcement.vehicle;
        car.identity = identity;
        looked_for_at_.push_back(looked_for_at(car));
        held_.emplace_back();
        return announced(announcement, fleet, now);
    }
    const CarNumber number = *known;
    Car& car = cars_[number];
    const auto order = announcement.incarnation <=> car.said.incarnation;
    // Duplicates and stragglers must not undo what is newer. A restarted car whose clock went
    // back is believed once its former run has fallen silent.
    const bool older = order < 0 || (order == 0 && announcement.sequence <= car.said.sequence);
    if (older && (car.reachable || order == 0))
        return {};
    const News news{.accepted = true,
                    .reincarnated = order != 0 && car.said.incarnation.value != 0,
                    .car = number};
    for (const std::string& model : car.said.models) {
        if (std::ranges::find(announcement.models, model) == announcement.models.end())
            unready(number, model, now);
    }
    car.said = announcement;
    if (car.fleet != fleet) {
        car.fleet = fleet;
        car.fleet_number = number_of_fleet(fleet);
    }
    car.heard_at = now;
    car.reachable = true;
    car.full = false;
    looked_for_at_[number] = looked_for_at(car);
    if (!announcement.models.empty())
        hold(number, announcement);
    update_ready(number, now);
    return news;
}

std::optional<CarNumber> FleetView::left(const core::VehicleId& vehicle,
                                         core::Incarnation incarnation, base::Instant now) {
    const auto known = find(vehicle, scheduler::stable_hash(vehicle.value));
    if (!known || cars_[*known].said.incarnation != incarnation)
        return std::nullopt;
    distrust(*known, now);
    return known;
}

void FleetView::distrust(CarNumber number, base::Instant now) {
    cars_[number].reachable = false;
    looked_for_at_[number] = looked_for_at(cars_[number]);
    update_ready(number, now);
}

void FleetView::saw_full(CarNumber number, base::Instant now) {
    cars_[number].full = true;
    update_ready(number, now);
}

void FleetView::attempt_began(CarNumber number, base::Instant now) {
    ++cars_[number].active;
    breakers_.attempt_began(cars_[number].said.vehicle, now);
    update_ready(number, now);
}

void FleetView::attempt_ended(CarNumber number, scheduler::Ending ending, base::Instant now) {
    IDLEWATT_ASSERT(cars_[number].active > 0);
    --cars_[number].active;
    breakers_.attempt_ended(cars_[number].said.vehicle, ending, now);
    update_ready(number, now);
}

base::Instant FleetView::looked_for_at(const Car& car) {
    const base::Duration patience = car.reachable ? core::announcement_lifetime : remembered_for;
    return car.heard_at + patience + base::Duration{1};
}

std::vector<CarNumber> FleetView::expire(base::Instant now) {
    std::vector<CarNumber> silent;
    for (CarNumber number = 0; number < looked_for_at_.size(); ++number) {
        if (looked_for_at_[number] <= now)
            look_for_silence(number, now, silent);
    }
    return silent;
}

void FleetView::look_for_silence(CarNumber number, base::Instant now,
                                 std::vector<CarNumber>& silent) {
    constexpr base::Instant never{INT64_MAX};
    if (cars_[number].reachable) {
        distrust(number, now);
        silent.push_back(number);
    }
    if (looked_for_at_[number] > now)
        return;
    forget_held(number);
    looked_for_at_[number] = never;
}

void FleetView::excuse_silence(base::Instant now) {
    for (CarNumber number = 0; number < cars_.size(); ++number) {
        if (!cars_[number].reachable)
            continue;
        cars_[number].heard_at = now;
        looked_for_at_[number] = looked_for_at(cars_[number]);
    }
}

// Sets of models that nobody holds any more would gather for ever.
void FleetView::unready(CarNumber number, const std::string& model, base::Instant now) {
    const auto found = willing_.find(model);
    if (found == willing_.end())
        return;
    Willing& cars = found->second;
    const scheduler::FleetNumber own = cars_[number].fleet_number;
    const bool served = cars.serves(scheduler::any_fleet);
    const bool own_served = cars.serves(own);
    cars.trusted.remove(number);
    cars.shunned.remove(number);
    const auto note_end = [&](scheduler::FleetNumber fleet, bool before) {
        if (before && !cars.serves(fleet) && holders_.contains({model, fleet}))
            served_until_[{model, fleet}] = now;
    };
    note_end(scheduler::any_fleet, served);
    note_end(own, own_served);
    if (cars.empty())
        willing_.erase(found);
}

void FleetView::hold(CarNumber number, const core::Announcement& said) {
    Held& known = held_[number];
    const scheduler::Abilities abilities = abilities_of(said);
    const scheduler::FleetNumber fleet = cars_[number].fleet_number;
    if (known.models == said.models && known.abilities == abilities && known.fleet == fleet)
        return;
    count_held(known, -1);
    known = {said.models, abilities, fleet};
    count_held(known, 1);
}

void FleetView::forget_held(CarNumber number) {
    count_held(held_[number], -1);
    held_[number] = {};
}

void FleetView::count_held(const Held& held, int by) {
    const auto add = [by](std::size_t& count) { count += static_cast<std::size_t>(by); };
    for (const std::string& model : held.models) {
        for (const auto fleet : {scheduler::any_fleet, held.fleet}) {
            const auto at = std::pair(model, fleet);
            Holders& holders = holders_[at];
            add(holders.cars);
            if ((held.abilities & scheduler::makes_embeddings) != 0)
                add(holders.with_embeddings);
            if ((held.abilities & scheduler::takes_images) != 0)
                add(holders.with_images);
            if (holders.cars == 0) {
                holders_.erase(at);
                served_until_.erase(at);
            }
            if (held.fleet == scheduler::any_fleet)
                break;
        }
    }
}

scheduler::FleetNumber FleetView::number_of_fleet(const std::string& fleet) {
    if (fleet.empty())
        return scheduler::any_fleet;
    const auto known = fleet_numbers_.find(fleet);
    if (known != fleet_numbers_.end())
        return known->second;
    if (fleet_numbers_.size() >= fleets_max)
        return scheduler::any_fleet;
    const auto number = static_cast<scheduler::FleetNumber>(fleet_numbers_.size() + 1);
    fleet_numbers_.emplace(fleet, number);
    return number;
}

std::optional<scheduler::FleetNumber> FleetView::find_fleet(const CarNeeds& needs) const {
    if (!needs.fleet)
        return scheduler::any_fleet;
    const auto known = fleet_numbers_.find(*needs.fleet);
    return known == fleet_numbers_.end() ? std::nullopt : std::optional(known->second);
}

void FleetView::update_ready(CarNumber number, base::Instant now) {
    const Car& car = cars_[number];
    const bool willing = car.reachable && car.said.reason == core::Reason::ok;
    if (car.reachable && is_loading(car.said.reason))
        loading_.try_emplace(number, now);
    else
        loading_.erase(number);
    const bool trusted = breakers_.allows(car.said.vehicle, now);
    const std::uint32_t total = car.said.slots_total;
    // What it announced includes other gateways' work but is up to a second old; what this gateway
    // has open is exact but only its own.
    const std::uint32_t busy =
        std::max(total - std::min(car.said.slots_free, total), std::min(car.active, total));
    scheduler::CarLoad load;
    load.slots_total = total;
    load.slots_free = car.full ? 0 : total - busy;
    load.tokens_per_second = car.said.tokens_per_second;
    load.identity = car.identity;
    load.abilities = abilities_of(car.said);
    load.fleet = car.fleet_number;
    if (car.said.stay)
        load.stay_p10 = car.said.stay->p10;
    for (const std::string& model : car.said.models) {
        if (!willing) {
            unready(number, model, now);
            continue;
        }
        Willing& cars = willing_[model];
        (trusted ? cars.trusted : cars.shunned).put(number, load);
        (trusted ? cars.shunned : cars.trusted).remove(number);
    }
}

bool FleetView::Willing::use_shunned(scheduler::FleetNumber fleet) const {
    const auto bad = static_cast<double>(shunned.slots(fleet).total);
    const auto good = static_cast<double>(trusted.slots(fleet).total);
    return bad > shunned_share_max * (good + bad);
}

std::optional<scheduler::Choice> FleetView::choose(const std::string& model, const CarNeeds& needs,
                                                   scheduler::Wish wish, bool urgent,
                                                   base::Prng& prng) const {
    const auto found = willing_.find(model);
    const auto fleet = find_fleet(needs);
    if (found == willing_.end() || !fleet)
        return std::nullopt;
    wish.abilities = needs.abilities;
    wish.fleet = *fleet;
    auto choice = found->second.trusted.choose(wish, prng);
    if (!choice && (urgent || found->second.use_shunned(*fleet)))
        choice = found->second.shunned.choose(wish, prng);
    return choice;
}

scheduler::Slots FleetView::slots(const std::string& model, const CarNeeds& needs) const {
    const auto found = willing_.find(model);
    const auto fleet = find_fleet(needs);
    if (found == willing_.end() || !fleet)
        return {};
    scheduler::Slots slots = found->second.trusted.slots(*fleet);
    if (found->second.use_shunned(*fleet)) {
        const scheduler::Slots shunned = found->second.shunned.slots(*fleet);
        slots.total += shunned.total;
        slots.busy += shunned.busy;
    }
    return slots;
}

std::optional<base::Instant> FleetView::served_until(const std::string& model,
                                                     const CarNeeds& needs) const {
    const auto fleet = find_fleet(needs);
    const auto found = fleet ? served_until_.find({model, *fleet}) : served_until_.end();
    return found == served_until_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<base::Instant> FleetView::expected_since(const std::string& model,
                                                       const CarNeeds& needs) const {
    std::optional<base::Instant> last;
    const auto fleet = find_fleet(needs);
    if (!fleet)
        return last;
    for (const auto& [number, since] : loading_) {
        if ((last && since <= *last) ||
            (*fleet != scheduler::any_fleet && cars_[number].fleet_number != *fleet))
            continue;
        const std::vector<std::string>& held = held_[number].models;
        if (model.empty() || held.empty() || std::ranges::find(held, model) != held.end())
            last = since;
    }
    return last;
}

const std::string* FleetView::default_model() const {
    const std::string* first = nullptr;
    std::size_t most = 0;
    for (const auto& [at, holders] : holders_) {
        if (at.second != scheduler::any_fleet || (first != nullptr && holders.cars <= most))
            continue;
        first = &at.first;
        most = holders.cars;
    }
    return first;
}

std::vector<std::string> FleetView::models() const {
    std::vector<std::pair<std::size_t, std::string>> counted;
    for (const auto& [at, holders] : holders_) {
        if (at.second == scheduler::any_fleet)
            counted.emplace_back(holders.cars, at.first);
    }
    std::ranges::stable_sort(counted,
                             [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<std::string> names;
    for (auto& [cars, name] : counted)
        names.push_back(std::move(name));
    return names;
}

std::vector<FleetView::ModelSummary> FleetView::summaries() const {
    std::vector<ModelSummary> all;
    std::unordered_map<std::string, std::size_t> places;
    for (std::string& model : models()) {
        const Holders& holders = holders_.at({model, scheduler::any_fleet});
        places.emplace(model, all.size());
        all.push_back({model, 0, holders.with_embeddings > 0, holders.with_images > 0, 0, 0.0});
    }
    for (const Car& car : cars_) {
        if (!car.reachable || car.said.reason != core::Reason::ok)
            continue;
        for (const std::string& model : car.said.models) {
            const auto place = places.find(model);
            if (place == places.end())
                continue;
            ModelSummary& summary = all[place->second];
            ++summary.vehicles_ready;
            summary.tokens_per_second += car.said.tokens_per_second;
            const std::uint32_t context = car.said.context_tokens;
            if (context > 0 && (summary.context_tokens == 0 || context < summary.context_tokens))
                summary.context_tokens = context;
        }
    }
    return all;
}

bool FleetView::knows_model(const std::string& model) const {
    return holders_.contains({model, scheduler::any_fleet});
}

bool FleetView::offers(const std::string& model, const CarNeeds& needs) const {
    const auto fleet = find_fleet(needs);
    const auto found = fleet ? holders_.find({model, *fleet}) : holders_.end();
    if (found == holders_.end())
        return false;
    const Holders& holders = found->second;
    return ((needs.abilities & scheduler::makes_embeddings) == 0 || holders.with_embeddings > 0) &&
           ((needs.abilities & scheduler::takes_images) == 0 || holders.with_images > 0);
}

FleetView::Census FleetView::census(base::Instant now) const {
    Census census;
    for (const Car& car : cars_) {
        if (!car.reachable) {
            census.unreachable += now - car.heard_at <= remembered_for ? 1 : 0;
        } else if (car.said.reason != core::Reason::ok) {
            ++census.ineligible[car.said.reason];
        } else {
            ++census.ready;
            const std::uint32_t free = std::min(car.said.slots_free, car.said.slots_total);
            census.slots_free += free;
            census.slots_busy += car.said.slots_total - free;
        }
    }
    return census;
}

bool FleetView::knows_vehicle(const core::VehicleId& vehicle) const {
    return find(vehicle, scheduler::stable_hash(vehicle.value)).has_value();
}

std::optional<wire::VehicleRow> FleetView::row_of(const Car& car, base::Instant now) {
    if (!car.reachable && now - car.heard_at > remembered_for)
        return std::nullopt;
    const auto reason = car.reachable ? car.said.reason : core::Reason::unreachable;
    wire::VehicleRow row{car.said, reason, car.active, now - car.heard_at};
    if (!car.reachable)
        row.announcement.slots_free = 0;
    return row;
}

std::optional<wire::VehicleRow> FleetView::row(const core::VehicleId& vehicle,
                                               base::Instant now) const {
    const auto known = find(vehicle, scheduler::stable_hash(vehicle.value));
    return known ? row_of(cars_[*known], now) : std::nullopt;
}

std::vector<wire::VehicleRow> FleetView::rows(base::Instant now) const {
    std::vector<wire::VehicleRow> rows;
    for (const Car& car : cars_) {
        if (auto row = row_of(car, now))
            rows.push_back(std::move(*row));
    }
    std::ranges::sort(rows, {},
                      [](const wire::VehicleRow& row) { return row.announcement.vehicle; });
    return rows;
}

}  // namespace idlewatt::gateway
