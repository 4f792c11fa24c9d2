// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Answer circumstance_rule(const Case& c) {
    using core::Reason;
    const Circumstances& known = c.situation.circumstances;
    if (known.paused_by_operator)
        return Objection{Reason::paused_by_operator};
    if (known.audit_hold)
        return Objection{Reason::audit_hold};
    if (known.storage_full)
        return Objection{Reason::storage_full};
    return std::nullopt;
}

}  // namespace idlewatt::policy
