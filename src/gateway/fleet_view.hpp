// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The cars as one gateway sees them: built from announcements, corrected by what it experiences.
// Soft state, a value without clock or I/O; lost with the gateway and rebuilt within a second.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/prng.hpp"
#include "base/time.hpp"
#include "core/announcement.hpp"
#include "scheduler/scheduler.hpp"
#include "wire/fleet.hpp"

namespace idlewatt::gateway {

using scheduler::CarNumber;

// A silent car is shown as unreachable for this long, then forgotten.
inline constexpr base::Duration remembered_for = base::minutes(10);
inline constexpr std::size_t cars_max = 2'000'000;

struct Car {
    core::Announcement said;
    base::Instant heard_at;
    std::uint32_t active = 0;  // attempts that this gateway has open on it
    bool reachable = false;
    bool full = false;  // it refused for lack of a slot; until its next announcement
};

class FleetView {
public:
    struct News {
        bool accepted = false;      // false: older than what is known
        bool reincarnated = false;  // the agent has been restarted: its former attempts are lost
        CarNumber car = 0;
    };

    News announced(const core::Announcement& announcement, base::Instant now);
    // The car's connection has ended. nullopt: not the run of the agent that is known.
    std::optional<CarNumber> left(const core::VehicleId& vehicle, core::Incarnation incarnation);
    // Not to be chosen until it announces itself again.
    void distrust(CarNumber car);
    void saw_full(CarNumber car);
    void attempt_began(CarNumber car);
    void attempt_ended(CarNumber car);
    // Cars that have fallen silent since the last call.
    [[nodiscard]] std::vector<CarNumber> expire(base::Instant now);
    // The gateway itself was cut off: silence until now means nothing.
    void excuse_silence(base::Instant now);

    [[nodiscard]] std::optional<CarNumber> choose(const std::string& model, base::Prng& prng,
                                                  std::span<const CarNumber> excluded) const;
    [[nodiscard]] const Car& car(CarNumber number) const { return cars_[number]; }
    // By number of cars that have held it, then by name; the first is the default.
    [[nodiscard]] std::vector<std::string> models() const;
    [[nodiscard]] bool knows_model(const std::string& model) const;
    [[nodiscard]] bool knows_vehicle(const core::VehicleId& vehicle) const;
    [[nodiscard]] std::vector<wire::VehicleRow> rows(base::Instant now) const;

private:
    void update_ready(CarNumber number);
    void forget_models(const std::vector<std::string>& models);
    void unready(CarNumber number, const std::string& model);

    std::vector<Car> cars_;
    std::unordered_map<core::VehicleId, CarNumber> numbers_;
    std::unordered_map<std::string, scheduler::ReadySet> ready_;
    // Of each car, the models it held when last ready: the catalogue outlives a recall.
    std::map<std::string, std::size_t> holders_;
    std::unordered_map<CarNumber, std::vector<std::string>> held_;
};

}  // namespace idlewatt::gateway
