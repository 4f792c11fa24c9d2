// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/credentials.hpp"

#include <algorithm>
#include <utility>

#include "identity/membership.hpp"

namespace idlewatt::coordinator {

Credentials::Credentials(std::string cell, Authority authority, base::Duration jwt_life)
    : subjects_{std::move(cell)},
      authority_(std::move(authority)),
      jwt_life_(std::clamp(jwt_life, jwt_life_min, jwt_life_max)) {}

wire::Renewal Credentials::for_vehicle(const store::Vehicle& vehicle, base::WallTime now) const {
    wire::Renewal renewal;
    renewal.expires_at = expiry(now);
    renewal.user_jwt =
        identity::mint_user_jwt(authority_.account, vehicle.public_key, vehicle.id.value,
                                vehicle_permissions(subjects_.cell, vehicle.id), now,
                                renewal.expires_at, identity::vehicle_tag);
    if (!vehicle.fleet.empty()) {
        renewal.membership = identity::mint_membership(
            authority_.account, {vehicle.id, vehicle.fleet, renewal.expires_at});
    }
    return renewal;
}

std::string Credentials::account_jwt(const std::vector<store::Vehicle>& revoked,
                                     base::WallTime now) const {
    std::vector<store::Vehicle> kept;
    for (const store::Vehicle& vehicle : revoked) {
        if (revocation_matters(vehicle, now))
            kept.push_back(vehicle);
    }
    std::ranges::sort(kept, [](const store::Vehicle& a, const store::Vehicle& b) {
        return std::pair(*b.revoked_at, b.id) < std::pair(*a.revoked_at, a.id);
    });
    if (kept.size() > revocations_max)
        kept.resize(revocations_max);
    // Up to now, not to revoked_at: while the row was on its way into the store, the car may have
    // been given another JWT. A revoked key gets none.
    identity::Revocations list;
    for (const store::Vehicle& vehicle : kept)
        list[vehicle.public_key] = std::max(now, *vehicle.revoked_at);
    return identity::mint_account_jwt(authority_.operator_key, account_public_key(),
                                      authority_.account_name, now, list);
}

// A car that this coordinator has not given a JWT may have one that never ends.
bool revocation_matters(const store::Vehicle& vehicle, base::WallTime now) {
    return vehicle.revoked_at && (vehicle.jwt_expires_at == base::WallTime{} ||
                                  *vehicle.revoked_at + jwt_life_max + revocation_slack > now);
}

identity::Permissions coordinator_permissions(const std::string& cell) {
    const wire::Subjects subjects{cell};
    const core::VehicleId any{"any"};
    std::string order = subjects.assignment_order(any);
    order.replace(order.find(".any."), 5, ".*.");
    return {{std::move(order), subjects.coordinator_changed()},
            {subjects.all_announcements(), subjects.all_receipts(), subjects.all_assignments(),
             subjects.all_renewals(), subjects.all_deliveries(), subjects.all_demands(),
             subjects.all_batch_asks(), subjects.all_batch_results(), subjects.coordinator_keys(),
             subjects.coordinator_totals(), std::string("_INBOX_") + coordinator_bus_name + ".>"}};
}

identity::Permissions gateway_permissions(const std::string& cell, const core::GatewayId& gateway) {
    const wire::Subjects subjects{cell};
    return {subjects.gateway_may_publish(gateway), subjects.gateway_may_subscribe(gateway)};
}

identity::Permissions vehicle_permissions(const std::string& cell, const core::VehicleId& vehicle) {
    const wire::Subjects subjects{cell};
    return {subjects.vehicle_may_publish(vehicle), subjects.vehicle_may_subscribe(vehicle)};
}

}  // namespace idlewatt::coordinator
