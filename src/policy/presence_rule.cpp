// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Answer presence_rule(const Case& c) {
    using core::Reason;
    using enum core::SignalId;
    if (c.is(occupied, true) || c.is(door_open, true) || c.is(ready_to_drive, true))
        return Objection{Reason::occupied};
    if (c.is(moving, true))
        return Objection{Reason::driving};
    if (c.is(parked, false))
        return Objection{Reason::not_parked};
    return std::nullopt;
}

}  // namespace idlewatt::policy
