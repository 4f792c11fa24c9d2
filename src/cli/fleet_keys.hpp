// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The keys of a fleet on one machine: an operator, the fleet's account, the system's account, one
// user per program and one per car. Made for a state folder and kept in it, so that receipts of an
// earlier run are still accepted; secrets only in files of mode 0600 below it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "bus/nats_server.hpp"
#include "core/id.hpp"
#include "identity/identity.hpp"

namespace idlewatt::cli {

// The only gateway of a fleet on one machine.
inline constexpr const char* local_gateway_name = "g1";

struct EnrolledVehicle {
    core::VehicleId id;
    std::string public_key;
    std::string credentials_file;
};

class FleetKeys {
public:
    // Those of an earlier run in the folder, otherwise new ones. Fails if a file of an earlier run
    // cannot be read or a new one not be written.
    [[nodiscard]] static base::Result<std::unique_ptr<FleetKeys>> open(std::string cell,
                                                                       std::string folder,
                                                                       base::WallTime now);

    // What the server needs to believe our users.
    void describe(bus::NatsServerOptions& options) const;

    // Each speaks and hears what its role needs. The result is the path of the credentials file. A
    // gateway keeps the key that it has in this folder: it signs with it.
    [[nodiscard]] base::Result<std::string> gateway_credentials(
        const core::GatewayId& gateway, const std::string& file_name = "gateway") const;
    [[nodiscard]] base::Result<std::string> coordinator_credentials() const;
    // For a role's second connection: what the server itself has to say, and is told.
    [[nodiscard]] base::Result<std::string> system_credentials(const std::string& name) const;

    [[nodiscard]] const std::string& account_public_key() const { return account_.public_key(); }
    [[nodiscard]] std::string operator_seed_file() const { return folder_ + "/operator.seed"; }
    [[nodiscard]] std::string account_seed_file() const { return folder_ + "/account.seed"; }
    // A car speaks and hears only in its own name. Keeps the key that it has in this folder.
    [[nodiscard]] base::Result<EnrolledVehicle> enrol(const core::VehicleId& vehicle) const;

private:
    FleetKeys(std::string cell, std::string folder, base::WallTime now,
              identity::KeyPair operator_key, identity::KeyPair account, identity::KeyPair system);

    std::string cell_;
    std::string folder_;
    base::WallTime now_;
    identity::KeyPair operator_;
    identity::KeyPair account_;
    identity::KeyPair system_;
};

}  // namespace idlewatt::cli
