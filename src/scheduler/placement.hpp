// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Which model each car is to hold, so that every model is held by as many cars as it wants at least
// and the rest follow demand, with few changes: a change costs a car's time and gigabytes of
// somebody's line.
//
// How many cars a model ought to have: first replicas_min for each, one after the other while cars
// that can hold it last; then car by car to the model with the highest demand per car (divisors of
// Sainte-Laguë, 1910: whoever gets one more car never makes another lose one). What is there stays
// unless a model is short of its minimum or by more than placement_slack; cars that hold nothing
// useful are used first, then those of models that have too many.
//
// Pure and deterministic: equal input, equal output. Idempotent: once the changes are applied, the
// same call asks for nothing more.
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
    bool fixed = false;  // its owner chose the model: counts, but is never changed
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

// A model gives and takes cars only if it is off by more than this share of what it ought to have,
// and by more than one car.
inline constexpr double placement_slack = 0.2;
// Cars that serve one model and are to load another: at most this share of all at once, but one.
// Cars that hold nothing useful do not count: they have nothing to lose.
inline constexpr double placement_moves_share_max = 0.1;
// A car that will be gone sooner in half of all cases is not worth a download if others are there.
inline constexpr base::Duration placement_stay_wanted = base::minutes(30);

// Ordered by car. The caller keeps the order of cars (by vehicle id) the same from call to call.
[[nodiscard]] std::vector<PlacementChange> place(std::span<const CarToPlace> cars,
                                                 std::span<const ModelToPlace> models);

// How many cars each model ought to have; for people and tests.
[[nodiscard]] std::vector<std::uint32_t> placement_targets(std::span<const CarToPlace> cars,
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
