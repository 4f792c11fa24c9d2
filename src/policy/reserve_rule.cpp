// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <algorithm>

#include "policy/rules.hpp"

namespace idlewatt::policy {

Answer reserve_rule(const Case& c) {
    using core::Reason;
    using enum core::SignalId;
    const core::OwnerSettings& settings = c.settings;
    const bool holds = c.holds(Reason::charge_below_reserve);
    const double least_percent =
        holds ? std::min(100.0, settings.reserve_percent + reserve_hysteresis_percent)
              : settings.reserve_percent;
    if (c.value(state_of_charge_percent) < least_percent)
        return Objection{Reason::charge_below_reserve};
    if (!settings.reserve_km)
        return std::nullopt;
    const double least_km = *settings.reserve_km + (holds ? reserve_hysteresis_km : 0.0);
    if (!c.knows(range_km) || c.value(range_km) < least_km)
        return Objection{Reason::charge_below_reserve};
    return std::nullopt;
}

}  // namespace idlewatt::policy
