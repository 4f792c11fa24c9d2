// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Answer pause_rule(const Case& c) {
    const base::WallTime now = c.situation.wall_now;
    if (now >= c.settings.paused_until)
        return std::nullopt;
    // A clock that has not been set does not know how long.
    const bool is_set = now >= earliest_sane_time;
    return Objection{core::Reason::paused_by_owner,
                     is_set ? c.situation.now + (c.settings.paused_until - now) : base::never};
}

}  // namespace idlewatt::policy
