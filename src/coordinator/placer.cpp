// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/placer.hpp"

#include <algorithm>

namespace idlewatt::coordinator {

void Placer::load(const std::vector<core::Model>& models, const Changes& assignments,
                  base::Instant now) {
    for (const core::Model& model : models)
        models_.insert_or_assign(model.name, model);
    for (const store::VehicleAssignment& one : assignments)
        assigned_[one.vehicle] = {one.version, one.model, now};
    loaded_ = true;
    listen_from(now);
}

Placer::Changes Placer::of_holders(const std::string& model, const std::string& becomes) const {
    Changes changes;
    for (const auto& [vehicle, assigned] : assigned_) {
        if (assigned.model == model)
            changes.push_back({vehicle, assigned.version + 1, becomes});
    }
    return changes;
}

Placer::Changes Placer::put_model(const core::Model& model) {
    const auto before = models_.find(model.name);
    const bool same_bytes = before == models_.end() || before->second.sha256 == model.sha256;
    models_.insert_or_assign(model.name, model);
    return same_bytes ? Changes{} : of_holders(model.name, model.name);
}

Placer::Changes Placer::erase_model(const std::string& name) {
    models_.erase(name);
    traces_.erase(name);
    return of_holders(name, "");
}

// ── what is heard ───────────────────────────────────────────────────────────────────────────────

void Placer::asked(const core::VehicleId& vehicle, const core::Capacity& capacity,
                   base::Instant now) {
    Car& car = cars_[vehicle];
    car.asked_at = now;
    car.memory_bytes = capacity.memory_bytes;
    car.cached_sha256.clear();
    for (const auto& [name, model] : models_) {
        if (std::ranges::find(capacity.cached_sha256, model.sha256) != capacity.cached_sha256.end())
            car.cached_sha256.push_back(model.sha256);
    }
}

void Placer::announced(const core::Announcement& announcement, base::Instant now) {
    Car& car = cars_[announcement.vehicle];
    car.announced_at = now;
    car.serves = announcement.models;
    car.tokens_per_second = announcement.tokens_per_second;
    car.stay_p50.reset();
    if (announcement.stay)
        car.stay_p50 = announcement.stay->p50;
}

void Placer::demanded(const core::GatewayId& gateway, const std::vector<core::ModelDemand>& demands,
                      base::Instant now) {
    if (!demands_.contains(gateway) && demands_.size() >= gateways_max)
        return;
    Demand& demand = demands_[gateway];
    demand.said_at = now;
    demand.answers.clear();
    for (const core::ModelDemand& one : demands) {
        if (models_.contains(one.model))
            demand.answers[one.model] += static_cast<double>(one.waiting) + one.running;
    }
}

// ── placing ─────────────────────────────────────────────────────────────────────────────────────

void Placer::see_demand(base::Instant now) {
    std::erase_if(demands_,
                  [now](const auto& one) { return one.second.said_at + demand_lifetime < now; });
    for (const auto& [name, model] : models_) {
        double answers = 0.0;
        for (const auto& [gateway, demand] : demands_) {
            const auto found = demand.answers.find(name);
            answers += found == demand.answers.end() ? 0.0 : found->second;
        }
        traces_[name].see(answers, now);
    }
}

bool Placer::serves(const Car& car, const std::string& model, base::Instant now) const {
    return car.announced_at && *car.announced_at + core::announcement_lifetime >= now &&
           std::ranges::find(car.serves, model) != car.serves.end();
}

bool Placer::knows_model(const std::string& name, base::Instant now) const {
    return models_.contains(name) || std::ranges::any_of(cars_, [&](const auto& one) {
               return serves(one.second, name, now);
           });
}

bool Placer::describe(const core::VehicleId& vehicle, const Car& car, base::Instant now,
                      const std::map<std::string, scheduler::ModelNumber>& numbers,
                      scheduler::CarToPlace& out) const {
    const auto number = [&numbers](const std::string& name) {
        const auto found = numbers.find(name);
        return found == numbers.end() ? std::nullopt : std::optional(found->second);
    };
    out.tokens_per_second = car.tokens_per_second;
    out.stay_p50 = car.stay_p50;
    if (!car.asked_at) {
        out.fixed = true;
        for (const std::string& model : car.serves) {
            if (serves(car, model, now) && !out.model)
                out.model = number(model);
        }
        return out.model.has_value();
    }
    if (*car.asked_at + car_away_after < now)
        return false;
    out.memory_bytes = car.memory_bytes;
    for (const auto& [name, model] : models_) {
        const auto cached = number(name);
        if (cached && std::ranges::find(car.cached_sha256, model.sha256) != car.cached_sha256.end())
            out.cached.push_back(*cached);
    }
    const auto assigned = assigned_.find(vehicle);
    if (assigned == assigned_.end())
        return true;
    out.model = number(assigned->second.model);
    out.moving = out.model && !serves(car, assigned->second.model, now);
    return !out.moving || assigned->second.since + loading_max >= now;
}

bool Placer::all_heard(const std::map<std::string, scheduler::ModelNumber>& numbers) const {
    return std::ranges::all_of(assigned_, [&](const auto& entry) {
        const auto& [vehicle, assigned] = entry;
        if (!numbers.contains(assigned.model))
            return true;
        const auto car = cars_.find(vehicle);
        return car != cars_.end() &&
               std::max(car->second.asked_at, car->second.announced_at) >= listening_since_;
    });
}

void Placer::add_unheard(const std::map<std::string, scheduler::ModelNumber>& numbers,
                         std::vector<scheduler::CarToPlace>& cars) const {
    for (const auto& [vehicle, assigned] : assigned_) {
        const auto number = numbers.find(assigned.model);
        if (number == numbers.end() || cars_.contains(vehicle))
            continue;
        scheduler::CarToPlace unheard;
        unheard.model = number->second;
        unheard.fixed = true;
        cars.push_back(std::move(unheard));
    }
}

Placer::Changes Placer::place(base::Instant now, const Outside& outside) {
    see_demand(now);
    std::vector<scheduler::ModelToPlace> models;
    std::vector<std::string> names;
    std::map<std::string, scheduler::ModelNumber> numbers;
    for (const auto& [name, model] : models_) {
        if (!outside.has_bytes(model))
            continue;
        numbers[name] = static_cast<scheduler::ModelNumber>(models.size());
        models.push_back({model.bytes, model.replicas_min, traces_[name].value()});
        names.push_back(name);
    }
    const bool listening = now < listening_since_ + listening_before_moves && !all_heard(numbers);
    std::vector<scheduler::CarToPlace> cars;
    std::vector<core::VehicleId> ids;
    for (const auto& [vehicle, car] : cars_) {
        scheduler::CarToPlace described;
        if (!describe(vehicle, car, now, numbers, described) || !outside.may_serve(vehicle))
            continue;
        if (listening && described.model)
            described.fixed = true;
        cars.push_back(std::move(described));
        ids.push_back(vehicle);
    }
    if (listening)
        add_unheard(numbers, cars);
    Changes changes;
    for (const scheduler::PlacementChange& change : scheduler::place(cars, models)) {
        const core::VehicleId& vehicle = ids.at(change.car);
        store::VehicleAssignment next = touched(vehicle);
        next.model = change.model ? names.at(*change.model) : "";
        changes.push_back(std::move(next));
    }
    return changes;
}

void Placer::apply(const Changes& changes, base::Instant now) {
    for (const store::VehicleAssignment& change : changes) {
        Assigned& assigned = assigned_[change.vehicle];
        if (change.version <= assigned.version)
            continue;
        if (assigned.model != change.model)
            assigned.since = now;
        assigned.version = change.version;
        assigned.model = change.model;
    }
}

// ── what is told ────────────────────────────────────────────────────────────────────────────────

store::VehicleAssignment Placer::touched(const core::VehicleId& vehicle) const {
    const auto assigned = assigned_.find(vehicle);
    if (assigned == assigned_.end())
        return {vehicle, 1, ""};
    return {vehicle, assigned->second.version + 1, assigned->second.model};
}

core::Assignment Placer::assignment(const store::Vehicle& vehicle,
                                    const std::string& blobs_url) const {
    core::Assignment told;
    told.paused = vehicle.paused;
    told.draining = vehicle.draining;
    const auto assigned = assigned_.find(vehicle.id);
    if (assigned == assigned_.end())
        return told;
    told.version = assigned->second.version;
    const auto model = models_.find(assigned->second.model);
    if (model != models_.end()) {
        told.model = model->second;
        told.blob_url = blobs_url + model->second.sha256;
    }
    return told;
}

std::string Placer::assigned_model(const core::VehicleId& vehicle) const {
    const auto assigned = assigned_.find(vehicle);
    return assigned == assigned_.end() ? "" : assigned->second.model;
}

bool Placer::has_assignment(const core::VehicleId& vehicle) const {
    return !assigned_model(vehicle).empty();
}

std::map<std::string, Placer::Holders> Placer::holders(base::Instant now) const {
    std::map<std::string, Holders> all;
    for (const auto& [vehicle, assigned] : assigned_) {
        if (!assigned.model.empty())
            ++all[assigned.model].assigned;
    }
    for (const auto& [vehicle, car] : cars_) {
        for (const std::string& model : car.serves) {
            if (serves(car, model, now))
                ++all[model].ready;
        }
    }
    return all;
}

}  // namespace idlewatt::coordinator
