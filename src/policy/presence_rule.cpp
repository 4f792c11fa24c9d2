// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Objection presence_rule(const CheckedSignals& signals) {
    if (signals.is(core::SignalId::occupied, true))
        return core::Reason::occupied;
    if (signals.is(core::SignalId::moving, true))
        return core::Reason::driving;
    if (signals.is(core::SignalId::parked, false))
        return core::Reason::not_parked;
    return std::nullopt;
}

}  // namespace idlewatt::policy
