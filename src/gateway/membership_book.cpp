// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/membership_book.hpp"

#include "base/log.hpp"
#include "identity/membership.hpp"

namespace idlewatt::gateway {

std::string MembershipBook::fleet_of(const core::Announcement& announcement, base::WallTime now) {
    if (announcement.membership.empty() || account_public_key_.empty())
        return {};
    const auto known = proven_.find(announcement.vehicle);
    if (known != proven_.end() && known->second.membership == announcement.membership)
        return now < known->second.expires_at ? known->second.fleet : std::string();
    if (known == proven_.end() && proven_.size() >= memberships_max)
        return {};
    Proven proven{announcement.membership, {}, {}};
    const auto verified =
        identity::verify_membership(announcement.membership, account_public_key_, now);
    if (verified && verified->vehicle == announcement.vehicle) {
        proven.fleet = verified->fleet;
        proven.expires_at = verified->expires_at;
    } else {
        base::log_warning("gateway", announcement.vehicle.value + " shows a membership that is " +
                                         (verified ? "another car's" : verified.error().message));
    }
    std::string fleet = proven.fleet;
    proven_.insert_or_assign(announcement.vehicle, std::move(proven));
    return fleet;
}

}  // namespace idlewatt::gateway
