// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Readings as they came, into what is known of them.
#include <algorithm>
#include <cstdint>

#include "policy/policy.hpp"

namespace idlewatt::policy {

namespace {

bool is_sane(base::WallTime time) {
    return time >= earliest_sane_time && time < latest_sane_time;
}

// Age on the monotonic clock; safe for any two instants because the later one is subtracted from
// without sign.
std::uint64_t age_ns(base::Instant now, base::Instant received_at) {
    return static_cast<std::uint64_t>(now.ns) - static_cast<std::uint64_t>(received_at.ns);
}

void note_doubt(Situation& situation, core::SignalMask Situation::*kind, core::SignalId id,
                base::Instant changes_at = base::never) {
    (situation.*kind).add(id);
    situation.first_change = std::min(situation.first_change, changes_at);
}

void look_at(const core::SignalInfo& signal, const core::SignalReading& reading,
             Situation& situation) {
    if (!is_sane(situation.wall_now) || !is_sane(reading.source_time) ||
        reading.received_at > situation.now) {
        return note_doubt(situation, &Situation::unsure, signal.id);
    }
    // Both are sane, so the difference cannot overflow.
    const base::Duration source_age = situation.wall_now - reading.source_time;
    if (source_age < base::Duration{} - clock_tolerance) {
        return note_doubt(situation, &Situation::unsure, signal.id,
                          situation.now + (base::Duration{} - clock_tolerance - source_age));
    }
    const base::Duration fresh_for =
        reading.fresh_for > base::Duration{} ? reading.fresh_for : signal.fresh_for;
    if (source_age >= fresh_for ||
        age_ns(situation.now, reading.received_at) >= static_cast<std::uint64_t>(fresh_for.ns)) {
        return note_doubt(situation, &Situation::stale, signal.id);
    }
    const base::Instant stale_at =
        std::min(reading.received_at + fresh_for, situation.now + (fresh_for - source_age));
    if (!reading.value || !core::in_range(signal, *reading.value))
        return note_doubt(situation, &Situation::missing, signal.id, stale_at);
    situation.know(signal.id, *reading.value);
    situation.first_change = std::min(situation.first_change, stale_at);
}

}  // namespace

Situation look(const Facts& facts) {
    Situation situation;
    situation.now = facts.now;
    situation.wall_now = facts.wall_now;
    situation.local = facts.local;
    situation.circumstances = facts.circumstances;
    for (const core::SignalInfo& signal : core::signal_table()) {
        const auto& reading = facts.signals.get(signal.id);
        if (reading)
            look_at(signal, *reading, situation);
    }
    return situation;
}

}  // namespace idlewatt::policy
