// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the coordinator signs: who may speak in the cell, for how long, and in which fleet. Pure but
// for the keys that it holds.
#pragma once

#include <string>
#include <vector>

#include "base/time.hpp"
#include "identity/identity.hpp"
#include "store/rows.hpp"
#include "wire/cell.hpp"
#include "wire/subject.hpp"

namespace idlewatt::coordinator {

inline constexpr base::Duration jwt_life_default = base::minutes(6 * 60);
inline constexpr base::Duration jwt_life_min = base::minutes(1);
inline constexpr base::Duration jwt_life_max = base::minutes(24 * 60);
// A car may still have been given a JWT so long after its revocation was ordered.
inline constexpr base::Duration revocation_slack = base::minutes(10);
// A server's message of 1 MiB holds some 10,000 of them, at 94 bytes each.
inline constexpr std::size_t revocations_max = 10'000;

// The keys under which the cell's NATS servers believe us.
struct Authority {
    identity::KeyPair operator_key;
    identity::KeyPair account;
    std::string account_name = "fleet";
};

class Credentials {
public:
    Credentials(std::string cell, Authority authority, base::Duration jwt_life);

    // A JWT with which the car speaks only in its own name, and the proof of its fleet.
    [[nodiscard]] wire::Renewal for_vehicle(const store::Vehicle& vehicle,
                                            base::WallTime now) const;
    [[nodiscard]] base::WallTime expiry(base::WallTime now) const { return now + jwt_life_; }

    // The account's JWT with all revocations that are still of use: later ones first, so that of
    // more than revocations_max the ones that end soonest are left out.
    [[nodiscard]] std::string account_jwt(const std::vector<store::Vehicle>& revoked,
                                          base::WallTime now) const;
    [[nodiscard]] const std::string& account_public_key() const {
        return authority_.account.public_key();
    }

private:
    wire::Subjects subjects_;
    Authority authority_;
    base::Duration jwt_life_;
};

// Whether a server that forgot the revocation would let the car in again.
[[nodiscard]] bool revocation_matters(const store::Vehicle& vehicle, base::WallTime now);

// The coordinator's own place on the bus; its inbox is _INBOX_<coordinator_bus_name>.>. Capital, so
// that no car has the same name.
inline constexpr const char* coordinator_bus_name = "C_coordinator";
[[nodiscard]] identity::Permissions coordinator_permissions(const std::string& cell);
[[nodiscard]] identity::Permissions gateway_permissions(const std::string& cell,
                                                        const core::GatewayId& gateway);
[[nodiscard]] identity::Permissions vehicle_permissions(const std::string& cell,
                                                        const core::VehicleId& vehicle);

}  // namespace idlewatt::coordinator
