// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <algorithm>

#include "policy/rules.hpp"

namespace idlewatt::policy {

Objection floor_rule(const core::OwnerSettings& settings, const CheckedSignals& signals) {
    const auto& charge = signals.get(core::SignalId::state_of_charge_percent).value;
    if (charge && *charge < settings.floor_percent)
        return core::Reason::charge_below_floor;
    return std::nullopt;
}

Objection reserve_rule(const core::OwnerSettings& settings, const CheckedSignals& signals,
                       base::Instant now, Memory& memory) {
    const auto& charge = signals.get(core::SignalId::state_of_charge_percent).value;
    if (!charge)
        return core::Reason::charge_below_reserve;  // doubt_rule has objected before
    const double return_at = std::min(100.0, settings.reserve_percent + reserve_hysteresis_percent);
    if (*charge < settings.reserve_percent) {
        if (!memory.drained)
            memory.drained_at = now;
        memory.drained = true;
    } else if (memory.drained && *charge >= return_at &&
               now >= memory.drained_at + settings.drain_dwell) {
        memory.drained = false;
    }
    if (memory.drained)
        return core::Reason::charge_below_reserve;
    return std::nullopt;
}

}  // namespace idlewatt::policy
