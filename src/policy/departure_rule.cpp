// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Answer departure_rule(const Case& c) {
    if (c.ready && c.ready->left <= departure_lead)
        return Objection{core::Reason::departure_soon, c.situation.now + c.ready->left};
    return std::nullopt;
}

base::Instant departure_objects_at(const Case& c) {
    return c.ready ? c.situation.now + (c.ready->left - departure_lead) : base::never;
}

}  // namespace idlewatt::policy
