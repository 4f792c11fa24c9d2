// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/breaker.hpp"

#include <algorithm>

namespace idlewatt::scheduler {

namespace {

// Entries that are looked at for being forgotten whenever one is added.
constexpr int cars_swept_at_once = 2;

bool is_forgotten(base::Instant last_failed_at, base::Instant now) {
    return now - last_failed_at > breaker_memory;
}

}  // namespace

Judgement judge_car(Ending ending) {
    switch (ending) {
        case Ending::answered:
            return Judgement::good;
        case Ending::client_error:
        case Ending::client_gone:
        case Ending::yielded:
        case Ending::busy:
            return Judgement::none;
        case Ending::engine_failed:
        case Ending::silent:
        case Ending::misbehaved:
            return Judgement::bad;
    }
    return Judgement::none;
}

BreakerState Breakers::state(const Car& car, base::Instant now) {
    if (!car.tripped || is_forgotten(car.last_failed_at, now))
        return BreakerState::closed;
    return now < car.open_until ? BreakerState::open : BreakerState::half_open;
}

BreakerState Breakers::state(const core::VehicleId& vehicle, base::Instant now) const {
    const Car* car = cars_.peek(vehicle);
    return car == nullptr ? BreakerState::closed : state(*car, now);
}

bool Breakers::allows(const core::VehicleId& vehicle, base::Instant now) const {
    const Car* car = cars_.peek(vehicle);
    if (car == nullptr)
        return true;
    const BreakerState is = state(*car, now);
    if (is == BreakerState::half_open)
        return !car->probe_began || now - *car->probe_began > breaker_probe_max;
    return is == BreakerState::closed;
}

void Breakers::attempt_began(const core::VehicleId& vehicle, base::Instant now) {
    Car* car = cars_.find(vehicle);
    if (car != nullptr && state(*car, now) == BreakerState::half_open)
        car->probe_began = now;
}

bool Breakers::attempt_ended(const core::VehicleId& vehicle, Ending ending, base::Instant now) {
    const Judgement judgement = judge_car(ending);
    if (judgement == Judgement::bad) {
        failed(vehicle, now);
        return true;
    }
    Car* car = cars_.find(vehicle);
    // What ends well while it is open began before it failed, and proves nothing.
    if (car == nullptr || state(*car, now) != BreakerState::half_open)
        return false;
    car->probe_began.reset();
    if (judgement == Judgement::good) {
        car->tripped = false;
        car->failures = 0;
    }
    return true;
}

void Breakers::failed(const core::VehicleId& vehicle, base::Instant now) {
    Car* car = cars_.use(vehicle);
    if (car == nullptr) {
        make_room(now);
        car = &cars_.add(vehicle, Car{});
    } else if (is_forgotten(car->last_failed_at, now)) {
        *car = Car{};
    }
    const BreakerState was = state(*car, now);
    const bool same_event = car->failures > 0 && now - car->last_failed_at < breaker_same_event;
    car->last_failed_at = now;
    if (was == BreakerState::half_open) {
        trip(*car, now);
        return;
    }
    if (was == BreakerState::open || same_event)
        return;
    car->failed_at[car->failures % breaker_failures_max] = now;
    ++car->failures;
    // The oldest of the last ones stands where the next will go.
    const base::Instant first = car->failed_at[car->failures % breaker_failures_max];
    if (car->failures >= breaker_failures_max && now - first <= breaker_window)
        trip(*car, now);
}

void Breakers::trip(Car& car, base::Instant now) {
    base::Duration hold_off = breaker_hold_off_first;
    for (std::uint32_t i = 0; i < car.openings && hold_off < breaker_hold_off_max; ++i)
        hold_off = hold_off * 2;
    car.tripped = true;
    car.open_until = now + std::min(hold_off, breaker_hold_off_max);
    car.probe_began.reset();
    ++car.openings;
}

void Breakers::make_room(base::Instant now) {
    for (int i = 0; i < cars_swept_at_once; ++i) {
        const auto* oldest = cars_.oldest();
        if (oldest == nullptr ||
            (cars_.size() < breakers_max && !is_forgotten(oldest->second.last_failed_at, now)))
            return;
        cars_.erase(core::VehicleId(oldest->first));
    }
}

std::size_t Breakers::open_count(base::Instant now) const {
    return static_cast<std::size_t>(std::ranges::count_if(cars_, [now](const auto& entry) {
        return state(entry.second, now) != BreakerState::closed;
    }));
}

}  // namespace idlewatt::scheduler
