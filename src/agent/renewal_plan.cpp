// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent/renewal_plan.hpp"

#include <algorithm>

namespace idlewatt::agent {

RenewalPlan::RenewalPlan(const std::optional<CredentialsLife>& life, std::uint64_t seed)
    : life_(life), prng_(seed), due_at_part_(0.4 + 0.2 * prng_.unit()) {}

bool RenewalPlan::due(base::WallTime now) const {
    if (!life_)
        return false;
    const base::Duration whole = life_->expires_at - life_->issued_at;
    return now - life_->issued_at >= base::from_seconds(whole.seconds() * due_at_part_);
}

void RenewalPlan::steer(base::Instant now, base::WallTime wall_now, bool connected, bool busy,
                        Effects& effects) {
    if (change_over_by_ && (!busy || wall_now >= *change_over_by_)) {
        change_over_by_.reset();
        effects.emplace_back(Reauthenticate{});
    }
    if (connected && !asking_ && now >= ask_at_ && due(wall_now)) {
        asking_ = true;
        effects.emplace_back(AskRenewal{});
    }
}

void RenewalPlan::answered(const std::optional<wire::Renewal>& renewal, base::Instant now,
                           base::WallTime wall_now) {
    asking_ = false;
    if (!renewal || renewal->expires_at <= wall_now) {
        ask_at_ = now + retry_ + base::from_seconds(retry_.seconds() * 0.2 * prng_.unit());
        retry_ = std::min(retry_ * 2, renewal_retry_max);
        return;
    }
    retry_ = renewal_retry_min;
    if (life_) {
        const base::Duration whole = life_->expires_at - life_->issued_at;
        change_over_by_ =
            life_->expires_at + base::Duration{-(whole / change_over_at_last_part).ns};
    } else {
        change_over_by_ = wall_now;
    }
    life_ = CredentialsLife{wall_now, renewal->expires_at};
}

}  // namespace idlewatt::agent
