// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Compute behind a small charger must not eat the morning's charge: work stops as soon as charging
// with all that the charger gives would only just be done in time.
#include "policy/rules.hpp"

namespace idlewatt::policy {

namespace {

constexpr double joules_per_kwh = 3.6e6;
constexpr double years_s = 1e9;  // more than any of these spans; keeps the conversion in range

// Into the battery, if all of it went there; nothing when that is not known.
std::optional<double> charging_power_w(const Case& c) {
    using enum core::SignalId;
    if (c.knows(charger_power_w))
        return c.value(charger_power_w);
    if (c.is(charging, true) && c.knows(battery_power_w))
        return c.value(battery_power_w);
    return std::nullopt;
}

// How long work may go on before charging needs the rest of the time; nothing when that cannot be
// known, or no charging would be enough.
std::optional<base::Duration> time_to_spare(const Case& c, const ReadyTime& ready) {
    using enum core::SignalId;
    const double missing_percent = ready.charge_percent - c.value(state_of_charge_percent);
    const std::optional<double> power_w = charging_power_w(c);
    if (!c.is(plugged_in, true) || !c.knows(battery_capacity_kwh) || !power_w || *power_w <= 0.0)
        return std::nullopt;
    const double missing_j =
        missing_percent / 100.0 * c.value(battery_capacity_kwh) * joules_per_kwh;
    const double charging_s = missing_j / *power_w * charge_time_factor;
    if (charging_s > years_s)
        return std::nullopt;
    return ready.left - base::from_seconds(charging_s) - charge_time_slack;
}

// Nothing: as it is, the car will be ready in time, whatever work does.
struct Demand {
    std::optional<base::Duration> spare;
};
std::optional<Demand> demand(const Case& c) {
    if (!c.ready || c.value(core::SignalId::state_of_charge_percent) >= c.ready->charge_percent)
        return std::nullopt;
    return Demand{time_to_spare(c, *c.ready)};
}

}  // namespace

Answer charge_time_rule(const Case& c) {
    using core::Reason;
    const auto wanted = demand(c);
    if (!wanted)
        return std::nullopt;
    const base::Duration least =
        c.holds(Reason::charge_needed) ? charge_time_hysteresis : base::Duration{};
    if (!wanted->spare || *wanted->spare <= least)
        return Objection{Reason::charge_needed};
    return std::nullopt;
}

base::Instant charge_time_objects_at(const Case& c) {
    const auto wanted = demand(c);
    return wanted && wanted->spare ? c.situation.now + *wanted->spare : base::never;
}

}  // namespace idlewatt::policy
