// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Answer health_rule(const Case& c) {
    using core::Reason;
    const double least_v = c.holds(Reason::low_12v_battery) ? low_voltage_over_v : low_voltage_v;
    if (c.knows(core::SignalId::low_voltage_v) &&
        c.value(core::SignalId::low_voltage_v) < least_v) {
        return Objection{Reason::low_12v_battery};
    }
    if (c.is(core::SignalId::broken_down, true))
        return Objection{Reason::vehicle_fault};
    return std::nullopt;
}

}  // namespace idlewatt::policy
