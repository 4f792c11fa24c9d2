// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/checked_signals.hpp"

#include <algorithm>
#include <cstdint>

namespace idlewatt::policy {

namespace {

using core::Reason;

bool is_sane(base::WallTime time) {
    return time >= earliest_sane_time && time < latest_sane_time;
}

CheckedSignal doubtful(Reason doubt, std::optional<base::Instant> changes_at = {}) {
    return {std::nullopt, doubt, changes_at};
}

// Age on the monotonic clock; safe for any two instants because the later one is subtracted from
// without sign.
std::uint64_t age_ns(base::Instant now, base::Instant received_at) {
    return static_cast<std::uint64_t>(now.ns) - static_cast<std::uint64_t>(received_at.ns);
}

CheckedSignal check(const core::SignalInfo& signal,
                    const std::optional<core::SignalReading>& reading, const Facts& facts) {
    if (!reading) {
        return doubtful(signal.kind == core::SignalKind::percent ? Reason::charge_unknown
                                                                 : Reason::signal_missing);
    }
    if (!is_sane(facts.wall_now) || !is_sane(reading->source_time) ||
        reading->received_at > facts.now) {
        return doubtful(Reason::clock_unsure);
    }
    // Both are sane, so the difference cannot overflow.
    const base::Duration source_age = facts.wall_now - reading->source_time;
    if (source_age < base::Duration{} - clock_tolerance) {
        return doubtful(Reason::clock_unsure,
                        facts.now + (base::Duration{} - clock_tolerance - source_age));
    }
    const std::uint64_t limit_ns = static_cast<std::uint64_t>(signal.fresh_for.ns);
    if (source_age >= signal.fresh_for || age_ns(facts.now, reading->received_at) >= limit_ns) {
        return doubtful(Reason::signal_stale);
    }
    const base::Instant stale_at = std::min(reading->received_at + signal.fresh_for,
                                            facts.now + (signal.fresh_for - source_age));
    if (!reading->value || !core::in_range(signal.kind, *reading->value)) {
        return doubtful(signal.kind == core::SignalKind::percent ? Reason::charge_unknown
                                                                 : Reason::signal_missing,
                        stale_at);
    }
    return {reading->value, Reason::ok, stale_at};
}

}  // namespace

CheckedSignals::CheckedSignals(const Facts& facts) {
    for (const core::SignalInfo& signal : core::signal_table()) {
        CheckedSignal& checked = signals_[static_cast<std::size_t>(signal.id)];
        checked = check(signal, facts.signals.get(signal.id), facts);
        if (!checked.value)
            all_known_ = false;
    }
}

bool CheckedSignals::any_doubt(core::Reason reason) const {
    return std::ranges::any_of(
        signals_, [reason](const CheckedSignal& s) { return !s.value && s.doubt == reason; });
}

std::optional<base::Instant> CheckedSignals::first_change() const {
    std::optional<base::Instant> first;
    for (const CheckedSignal& signal : signals_) {
        if (signal.changes_at && (!first || *signal.changes_at < *first))
            first = signal.changes_at;
    }
    return first;
}

}  // namespace idlewatt::policy
