// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// May this car work now, how hard, and if not, why? A pure function of values: no clock, no I/O, no
// allocation, so the car, the simulator and the planner decide with the same code.
//
// judge() looks at readings as they came and decides; decide() begins with what is known. The first
// rule that objects gives the reason (rules.hpp, one file each); recalls come before drains, and
// what is known to speak against work before doubt, because it tells the owner more. After a recall
// its reason stands for the owner's re-entry delay. A drain ends above a second threshold only, not
// before the owner's dwell, and not more often than drain_starts_max in drain_starts_span.
#pragma once

#include <array>
#include <optional>

#include "base/time.hpp"
#include "core/local_time.hpp"
#include "core/owner_settings.hpp"
#include "core/signal.hpp"
#include "core/verdict.hpp"

namespace idlewatt::policy {

// A reading from further ahead than this means that one of the two clocks is wrong.
inline constexpr base::Duration clock_tolerance = base::seconds(5);
// Outside of these years a clock has not been set.
inline constexpr base::WallTime earliest_sane_time{1'577'836'800'000'000};  // 2020-01-01
inline constexpr base::WallTime latest_sane_time{4'102'444'800'000'000};    // 2100-01-01

// How much better than its limit a value must have become before its objection ends.
inline constexpr double reserve_hysteresis_percent = 2.0;
inline constexpr double reserve_hysteresis_km = 10.0;
inline constexpr double battery_hysteresis_c = 3.0;
inline constexpr double compute_hysteresis_c = 10.0;
inline constexpr double tariff_hysteresis = 0.05;  // of the limit
inline constexpr double place_hysteresis_m = 30.0;
// A 12 V battery below this cannot be sure to start the car. Lead-acid is empty at about 11.8 V.
inline constexpr double low_voltage_v = 11.8;
inline constexpr double low_voltage_over_v = 12.2;

// Work ends this long before the car is to be ready.
inline constexpr base::Duration departure_lead = base::minutes(15);
// What charging may take longer than it should, and on top of that.
inline constexpr double charge_time_factor = 1.15;
inline constexpr base::Duration charge_time_slack = base::minutes(10);
inline constexpr base::Duration charge_time_hysteresis = base::minutes(15);

inline constexpr int drain_starts_max = 2;
inline constexpr base::Duration drain_starts_span = base::minutes(10);

inline constexpr double power_limit_w_max = 100'000.0;
inline constexpr base::Duration delay_max = base::minutes(60 * 24 * 7);

// What others than the car know.
struct Circumstances {
    bool paused_by_operator = false;
    bool audit_hold = false;    // earlier work is being checked
    bool storage_full = false;  // receipts could not be kept
    bool worth_it = true;       // work pays its cost and the owner's margin

    friend bool operator==(const Circumstances&, const Circumstances&) = default;
};

// What is known at one moment.
struct Situation {
    base::Instant now;
    base::WallTime wall_now;
    core::WeekTime local;
    Circumstances circumstances{};
    // Each signal is in one of the four at most; in none: never heard.
    core::SignalMask known;
    core::SignalMask unsure;   // its clock or ours is wrong
    core::SignalMask missing;  // said to be unknown, or out of range
    core::SignalMask stale;
    std::array<double, core::signal_count> values{};  // of those that are known
    base::Instant first_change = base::never;         // of any of these, without a new reading

    [[nodiscard]] double value(core::SignalId id) const {
        return values[static_cast<std::size_t>(id)];
    }
    void know(core::SignalId id, double value) {
        known.add(id);
        values[static_cast<std::size_t>(id)] = value;
    }
};

// An owner's settings, looked at once for as many verdicts as are wanted.
struct Terms {
    explicit Terms(const core::OwnerSettings& from);

    core::OwnerSettings settings;
    bool make_sense = false;
    bool have_ready_by = false;                        // on any day
    std::array<double, core::places_max> shrink_at{};  // of a degree east, at each place
};

// What one judgement hands to the next. A fresh one belongs to a fresh process: readings that have
// not come yet are then no recall, so a restarted agent need not sit out the re-entry delay.
struct Memory {
    bool informed = false;               // all that was needed has been known at least once
    core::SignalMask heard;              // of those that must go on
    std::optional<core::Reason> recall;  // the last recall, until its re-entry is over
    bool recall_stands = false;          // its condition held at the last judgement
    base::Instant cleared_at;            // when it was first seen gone; valid unless it stands
    std::optional<core::Reason> drain;   // the last drain, until its dwell is over
    base::Instant drained_at;            // when the car began to be drained
    // The last starts that ended a drain, the older first.
    std::array<std::optional<base::Instant>, drain_starts_max> starts{};

    friend bool operator==(const Memory&, const Memory&) = default;
};

struct Judgement {
    core::Verdict verdict;
    Memory memory;
};

// The verdict's `until` is the moment when it may change without anything new: when a reading that
// counts becomes stale, a window opens or closes, a delay ends, charging would become late. Decide
// again then and at every new reading, setting or circumstance.
[[nodiscard]] Judgement decide(const Situation& situation, const Terms& terms,
                               const Memory& memory);

// Refers to its parts; lives for one call.
struct Facts {
    const core::OwnerSettings& settings;
    const core::SignalSet& signals;
    base::Instant now;
    base::WallTime wall_now;
    core::WeekTime local{};
    Circumstances circumstances{};
};

[[nodiscard]] Situation look(const Facts& facts);
[[nodiscard]] Judgement judge(const Facts& facts, const Memory& memory);

}  // namespace idlewatt::policy
