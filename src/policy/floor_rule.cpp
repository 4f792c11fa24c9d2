// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Answer floor_rule(const Case& c) {
    constexpr auto charge = core::SignalId::state_of_charge_percent;
    if (c.knows(charge) && c.value(charge) < c.settings.floor_percent)
        return Objection{core::Reason::charge_below_floor};
    return std::nullopt;
}

}  // namespace idlewatt::policy
