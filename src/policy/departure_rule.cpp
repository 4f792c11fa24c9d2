// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/ready_time.hpp"

namespace idlewatt::policy {

Answer departure_rule(const Case& c) {
    const auto ready = next_ready_time(c);
    if (ready && ready->left <= departure_lead)
        return Objection{core::Reason::departure_soon, c.situation.now + ready->left};
    return std::nullopt;
}

base::Instant departure_objects_at(const Case& c) {
    const auto ready = next_ready_time(c);
    return ready ? c.situation.now + (ready->left - departure_lead) : base::never;
}

}  // namespace idlewatt::policy
