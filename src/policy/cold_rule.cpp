// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Answer cold_rule(const Case& c) {
    using core::Reason;
    constexpr auto temperature = core::SignalId::battery_temperature_c;
    const double above_c = c.holds(Reason::battery_too_cold) ? battery_hysteresis_c : 0.0;
    if (c.knows(temperature) && c.value(temperature) < c.settings.battery_cold_c + above_c)
        return Objection{Reason::battery_too_cold};
    return std::nullopt;
}

}  // namespace idlewatt::policy
