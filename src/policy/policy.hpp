// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// May this car work now, how hard, and if not, why? A pure function of values: no clock, no I/O,
// no allocation, so the car, the simulator and the planner decide with the same code.
//
// The first rule that objects gives the reason (rules.hpp has one function a rule):
//   1 consent_rule    no_consent (also: settings that make no sense)
//   2 presence_rule   occupied, driving, not_parked
//   3 plug_rule       not_plugged_in
//   4 floor_rule      charge_below_floor
//   5 doubt_rule      clock_unsure, signal_missing, charge_unknown, signal_stale
//   6 (re-entry)      after a recall its reason stands for the owner's re-entry delay
//   7 reserve_rule    charge_below_reserve: a drain, with hysteresis and dwell
// What is known to speak against work comes before doubt, because it tells the owner more; both
// stop the car. Every signal must be known: there is no default for a signal, and none is zero.
#pragma once

#include <optional>

#include "base/time.hpp"
#include "core/owner_settings.hpp"
#include "core/signal.hpp"
#include "core/verdict.hpp"

namespace idlewatt::policy {

// A reading from further ahead than this means that one of the two clocks is wrong.
inline constexpr base::Duration clock_tolerance = base::seconds(5);
// Outside of these years a clock has not been set.
inline constexpr base::WallTime earliest_sane_time{1'577'836'800'000'000};  // 2020-01-01
inline constexpr base::WallTime latest_sane_time{4'102'444'800'000'000};    // 2100-01-01
// A drained car comes back this far above the reserve (but never needs more than 100 %).
inline constexpr double reserve_hysteresis_percent = 2.0;
inline constexpr double power_limit_w_max = 100'000.0;
inline constexpr base::Duration delay_max = base::minutes(60 * 24 * 7);

// All that is known at one moment. Refers to its parts; lives for one call.
struct Facts {
    const core::OwnerSettings& settings;
    const core::SignalSet& signals;
    base::Instant now;
    base::WallTime wall_now;
};

// What one judgement hands to the next. A fresh one belongs to a fresh process: readings that have
// not come yet are then no recall, so a restarted agent need not sit out the re-entry delay.
struct Memory {
    bool informed = false;               // every signal has been known at least once
    std::optional<core::Reason> recall;  // the last recall, until its re-entry is over
    bool recall_stands = false;          // its condition held at the last judgement
    base::Instant cleared_at;            // when it was first seen gone; valid unless it stands
    bool drained = false;                // below the reserve, or not yet back above it
    base::Instant drained_at;            // when that began

    friend bool operator==(const Memory&, const Memory&) = default;
};

struct Judgement {
    core::Verdict verdict;
    Memory memory;
};

// The verdict's `until`: when ok or recalled, the moment when the first reading becomes stale;
// during re-entry or dwell, its end. Judge again then and at every new reading or setting.
[[nodiscard]] Judgement judge(const Facts& facts, const Memory& memory);

}  // namespace idlewatt::policy
