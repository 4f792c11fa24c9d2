// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The keys of a fleet on one machine: an operator, the fleet's account, the system's account, one
// user per program and one per car. Made new for every state folder; secrets only in files of mode
// 0600 below it.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "bus/nats_server.hpp"
#include "core/id.hpp"
#include "identity/identity.hpp"

namespace idlewatt::cli {

struct EnrolledVehicle {
    core::VehicleId id;
    std::string public_key;
    std::string credentials_file;
};

class FleetKeys {
  public:
    FleetKeys(std::string cell, std::string folder, base::WallTime now);

    // What the server needs to believe our users.
    void describe(bus::NatsServerOptions& options) const;

    // For gateways and coordinators: everything in the fleet's account.
    [[nodiscard]] base::Result<std::string> service_credentials(const std::string& name) const;
    // For a gateway's second connection: what the server itself has to say.
    [[nodiscard]] base::Result<std::string> system_credentials(const std::string& name) const;
    // A car speaks and hears only in its own name.
    [[nodiscard]] base::Result<EnrolledVehicle> enrol(const core::VehicleId& vehicle) const;

  private:
    std::string cell_;
    std::string folder_;
    base::WallTime now_;
    identity::KeyPair operator_;
    identity::KeyPair account_;
    identity::KeyPair system_;
};

}  // namespace idlewatt::cli
