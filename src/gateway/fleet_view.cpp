// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/fleet_view.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace idlewatt::gateway {

FleetView::News FleetView::announced(const core::Announcement& announcement, base::Instant now) {
    const auto known = numbers_.find(announcement.vehicle);
    if (known == numbers_.end()) {
        if (cars_.size() >= cars_max)
            return {};
        const auto number = static_cast<CarNumber>(cars_.size());
        numbers_.emplace(announcement.vehicle, number);
        cars_.push_back({.said = {}, .heard_at = now, .active = 0, .reachable = false});
        cars_.back().said.vehicle = announcement.vehicle;
        return announced(announcement, now);
    }
    const CarNumber number = known->second;
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
    for (const std::string& model : car.said.models)
        unready(number, model);
    car.said = announcement;
    car.heard_at = now;
    car.reachable = true;
    car.full = false;
    if (!announcement.models.empty() && held_[number] != announcement.models) {
        forget_models(held_[number]);
        held_[number] = announcement.models;
        for (const std::string& model : announcement.models)
            ++holders_[model];
    }
    update_ready(number);
    return news;
}

std::optional<CarNumber> FleetView::left(const core::VehicleId& vehicle,
                                         core::Incarnation incarnation) {
    const auto known = numbers_.find(vehicle);
    if (known == numbers_.end())
        return std::nullopt;
    if (cars_[known->second].said.incarnation != incarnation)
        return std::nullopt;
    distrust(known->second);
    return known->second;
}

void FleetView::distrust(CarNumber number) {
    cars_[number].reachable = false;
    update_ready(number);
}

void FleetView::saw_full(CarNumber number) {
    cars_[number].full = true;
    update_ready(number);
}

void FleetView::attempt_began(CarNumber number) {
    ++cars_[number].active;
    update_ready(number);
}

void FleetView::attempt_ended(CarNumber number) {
    IDLEWATT_ASSERT(cars_[number].active > 0);
    --cars_[number].active;
    update_ready(number);
}

std::vector<CarNumber> FleetView::expire(base::Instant now) {
    std::vector<CarNumber> silent;
    for (CarNumber number = 0; number < cars_.size(); ++number) {
        Car& car = cars_[number];
        if (car.reachable && now - car.heard_at > core::announcement_lifetime) {
            distrust(number);
            silent.push_back(number);
        }
        if (!car.reachable && now - car.heard_at > remembered_for && held_.contains(number)) {
            forget_models(held_[number]);
            held_.erase(number);
        }
    }
    return silent;
}

void FleetView::excuse_silence(base::Instant now) {
    for (Car& car : cars_) {
        if (car.reachable)
            car.heard_at = now;
    }
}

// Sets of models that nobody holds any more would gather for ever.
void FleetView::unready(CarNumber number, const std::string& model) {
    const auto found = ready_.find(model);
    if (found == ready_.end())
        return;
    found->second.remove(number);
    if (found->second.size() == 0)
        ready_.erase(found);
}

void FleetView::forget_models(const std::vector<std::string>& models) {
    for (const std::string& model : models) {
        const auto found = holders_.find(model);
        if (--found->second == 0)
            holders_.erase(found);
    }
}

void FleetView::update_ready(CarNumber number) {
    const Car& car = cars_[number];
    const bool ready = car.reachable && !car.full && car.said.reason == core::Reason::ok;
    const std::uint32_t total = car.said.slots_total;
    // What it announced includes other gateways' work but is up to a second old; what this gateway
    // has open is exact but only its own.
    const std::uint32_t busy =
        std::max(total - std::min(car.said.slots_free, total), std::min(car.active, total));
    for (const std::string& model : car.said.models) {
        if (ready) {
            ready_[model].put(number, {total, total - busy, car.said.tokens_per_second});
        } else {
            unready(number, model);
        }
    }
}

std::optional<CarNumber> FleetView::choose(const std::string& model, base::Prng& prng,
                                           std::span<const CarNumber> excluded) const {
    const auto found = ready_.find(model);
    if (found == ready_.end())
        return std::nullopt;
    return found->second.choose(prng, excluded);
}

std::vector<std::string> FleetView::models() const {
    std::vector<std::string> names;
    for (const auto& [model, holders] : holders_)
        names.push_back(model);
    std::ranges::stable_sort(names, [this](const std::string& a, const std::string& b) {
        return holders_.at(a) > holders_.at(b);
    });
    return names;
}

bool FleetView::knows_model(const std::string& model) const {
    return holders_.contains(model);
}

bool FleetView::knows_vehicle(const core::VehicleId& vehicle) const {
    return numbers_.contains(vehicle);
}

std::vector<wire::VehicleRow> FleetView::rows(base::Instant now) const {
    std::vector<wire::VehicleRow> rows;
    for (const Car& car : cars_) {
        if (!car.reachable && now - car.heard_at > remembered_for)
            continue;
        const auto reason = car.reachable ? car.said.reason : core::Reason::unreachable;
        rows.push_back({car.said, reason, car.active, now - car.heard_at});
        if (!car.reachable)
            rows.back().announcement.slots_free = 0;
    }
    std::ranges::sort(rows, {},
                      [](const wire::VehicleRow& row) { return row.announcement.vehicle; });
    return rows;
}

}  // namespace idlewatt::gateway
