// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Which model each car is to hold, so that every model is held by as many cars as it wants at least
// and the rest follow demand, with few changes: a change costs a car's time and gigabytes of
// somebody's line.
//
// How many cars a model ought to have is said by placement_targets. What is there stays unless a
// model is short of its minimum or its cars are clearly more loaded than those of a model that has
// too many. Cars that hold nothing useful are used first.
//
// Pure and deterministic: equal input, equal output. Idempotent: once the changes are applied (the
// new model is the car's model, and it is moving), the same call asks for nothing more. When the
// cars have loaded, the next call may go on where the limit on moves, or the care for a model's
// last cars, stopped this one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/time.hpp"

namespace idlewatt::scheduler {

// A model as its index in the span given to place().
using ModelNumber = std::uint32_t;

struct CarToPlace {
    std::uint64_t memory_bytes = 0;
    // What it was last assigned, whether it serves it already or not. Absent: nothing, or a model
    // that is no longer known.
    std::optional<ModelNumber> model{};
    // Assigned but not yet served: still loading. A car that takes too long must be left out by the
    // caller, or it holds up others for good.
    bool moving = false;
    std::vector<ModelNumber> cached{};  // complete on its disk
    double tokens_per_second = 0.0;     // 0: unknown
    std::optional<base::Duration> stay_p50{};
    bool fixed = false;  // its owner chose the model: it counts, but is never changed
};

struct ModelToPlace {
    std::uint64_t bytes = 0;
    std::uint32_t replicas_min = 1;
    // How many answers are wanted at once: running and waiting, smoothed by DemandTrace.
    double demand = 0.0;
};

struct PlacementChange {
    std::uint32_t car = 0;               // its index in the span given to place()
    std::optional<ModelNumber> model{};  // absent: none fits
    friend bool operator==(const PlacementChange&, const PlacementChange&) = default;
};

// Weights, the cache of an answer's tokens and the engine's own buffers, over the file's bytes.
inline constexpr double model_memory_factor = 1.2;
inline constexpr std::uint64_t model_memory_extra_bytes = std::uint64_t{256} << 20;
[[nodiscard]] bool fits(const ModelToPlace& model, const CarToPlace& car);

// A car changes sides for demand only if the model that gives it is left with so much less demand
// per car than the one that takes it has now. The way back asks the same, so nothing swings.
inline constexpr double placement_slack = 0.2;
// At most this share of all cars, or one, is taken from a model while others are still moving.
// Cars that hold nothing useful have nothing to lose and are always put to use.
inline constexpr double placement_moves_share_max = 0.1;
// A car that will be gone sooner in half of all cases is not worth a download if others are there.
inline constexpr base::Duration placement_stay_wanted = base::minutes(30);

// Ordered by car. The caller keeps the order of cars (by vehicle id) the same from call to call.
[[nodiscard]] std::vector<PlacementChange> place(std::span<const CarToPlace> cars,
                                                 std::span<const ModelToPlace> models);

struct PlacementTargets {
    std::vector<std::uint32_t> minimum;  // of each model: what of replicas_min can be had
    std::vector<std::uint32_t> wanted;   // at least minimum
};
// First replicas_min for each, one after the other while cars that can hold it last; then car by
// car to the model with the highest demand per car (divisors of Sainte-Laguë, 1910: one car more
// never makes a model lose one). Cars that no wanted model fits go to the others. Fixed cars count
// for the model that they hold.
[[nodiscard]] PlacementTargets placement_targets(std::span<const CarToPlace> cars,
                                                 std::span<const ModelToPlace> models);

// A demand that a burst of seconds does not move: follows with the time constant demand_memory.
class DemandTrace {
public:
    void see(double demand, base::Instant now);
    [[nodiscard]] double value() const { return value_; }

private:
    double value_ = 0.0;
    std::optional<base::Instant> seen_at_{};
};
inline constexpr base::Duration demand_memory = base::minutes(5);

}  // namespace idlewatt::scheduler
