// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Circuit breakers: which cars are left alone for a while because they keep failing (Nygard,
// "Release It!", 2007). Kept by the name of the vehicle and not by its connection or the run of
// its agent: a car that drops its connection after each failure does not begin afresh.
//
//   closed ── breaker_failures_max within breaker_window ─▶ open ── hold-off over ─▶ half open
//     ▲                                                      ▲                        │ one probe
//     └────────────────── the probe is answered ─────────────┼────────────────────────┤
//                                                            └── it fails: twice as long
//
// A value. Only cars that failed are remembered, at most breakers_max.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "core/id.hpp"
#include "scheduler/recently_used.hpp"

namespace idlewatt::scheduler {

inline constexpr std::size_t breaker_failures_max = 3;
inline constexpr base::Duration breaker_window = base::seconds(60);
// Failures so close together are one: an engine that crashes ends all its answers at once.
inline constexpr base::Duration breaker_same_event = base::milliseconds(300);
inline constexpr base::Duration breaker_hold_off_first = base::seconds(5);
inline constexpr base::Duration breaker_hold_off_max = base::minutes(5);
// After so long without a failure the next hold-off is the first again, and the car is forgotten.
inline constexpr base::Duration breaker_memory = base::minutes(10);
// A probe that nobody reported on for so long is taken for lost.
inline constexpr base::Duration breaker_probe_max = base::minutes(2);
inline constexpr std::size_t breakers_max = 65'536;
static_assert(breaker_memory > breaker_hold_off_max && breaker_memory > breaker_window);

// How an attempt ended, as far as it says something about the car.
enum class Ending {
    answered,
    client_error,   // the engine refused the request itself (4xx): any car would have
    client_gone,    // cancelled
    yielded,        // recalled by its owner, or draining
    busy,           // no slot was free
    engine_failed,  // the engine broke off or answered 5xx
    silent,         // nothing was heard in time
    misbehaved,     // a gap that it could not fill, or against the protocol
};

enum class Judgement { good, none, bad };
// Only what a healthy car would not have done is bad; client errors never are.
[[nodiscard]] Judgement judge_car(Ending ending);

enum class BreakerState { closed, open, half_open };

class Breakers {
public:
    [[nodiscard]] BreakerState state(const core::VehicleId& vehicle, base::Instant now) const;
    // False: open, or half open with its probe under way. Ask before every attempt.
    [[nodiscard]] bool allows(const core::VehicleId& vehicle, base::Instant now) const;

    // An attempt was sent to the car. In the half-open state this is the probe.
    void attempt_began(const core::VehicleId& vehicle, base::Instant now);
    // Once for each attempt. True: the car's state may have changed (ask allows() again).
    bool attempt_ended(const core::VehicleId& vehicle, Ending ending, base::Instant now);

    [[nodiscard]] std::size_t size() const { return cars_.size(); }
    // Cars that are left alone at the moment; for the metrics. O(size()).
    [[nodiscard]] std::size_t open_count(base::Instant now) const;

private:
    struct Car {
        // The last failures since it was closed, the newest at (failures - 1) % size.
        std::array<base::Instant, breaker_failures_max> failed_at{};
        std::uint64_t failures = 0;
        base::Instant last_failed_at;
        std::uint32_t openings = 0;  // in a row: the exponent of the hold-off
        bool tripped = false;        // open or half open
        base::Instant open_until;    // meaningful while tripped
        std::optional<base::Instant> probe_began{};
    };

    [[nodiscard]] static BreakerState state(const Car& car, base::Instant now);
    static void trip(Car& car, base::Instant now);
    void failed(const core::VehicleId& vehicle, base::Instant now);
    void make_room(base::Instant now);

    // By the time of their last failure.
    RecentlyUsed<core::VehicleId, Car> cars_;
};

}  // namespace idlewatt::scheduler
