// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/fleet_keys.hpp"

#include "cli/files.hpp"
#include "wire/subject.hpp"

namespace idlewatt::cli {

using identity::KeyKind;
using identity::KeyPair;

FleetKeys::FleetKeys(std::string cell, std::string folder, base::WallTime now)
    : cell_(std::move(cell)),
      folder_(std::move(folder)),
      now_(now),
      operator_(KeyPair::generate(KeyKind::operator_key)),
      account_(KeyPair::generate(KeyKind::account)),
      system_(KeyPair::generate(KeyKind::account)) {}

void FleetKeys::describe(bus::NatsServerOptions& options) const {
    options.operator_jwt =
        identity::mint_operator_jwt(operator_, "idlewatt", system_.public_key(), now_);
    options.account_public_key = account_.public_key();
    options.account_jwt =
        identity::mint_account_jwt(operator_, account_.public_key(), "fleet", now_);
    options.system_account_public_key = system_.public_key();
    options.system_account_jwt =
        identity::mint_account_jwt(operator_, system_.public_key(), "system", now_);
}

namespace {

base::Result<std::string> write_user(const std::string& file, const KeyPair& account,
                                     const KeyPair& user, const std::string& name,
                                     const identity::Permissions& permissions,
                                     base::WallTime now) {
    const std::string jwt = identity::mint_user_jwt(account, user.public_key(), name, permissions,
                                                    now, std::nullopt);
    auto written = write_secret(file, identity::credentials(jwt, user.seed()));
    if (!written) return tl::unexpected<base::Error>(written.error());
    return file;
}

}  // namespace

base::Result<std::string> FleetKeys::service_credentials(const std::string& name) const {
    return write_user(folder_ + "/" + name + ".creds", account_, KeyPair::generate(KeyKind::user),
                      name, {}, now_);
}

base::Result<std::string> FleetKeys::system_credentials(const std::string& name) const {
    return write_user(folder_ + "/" + name + "-system.creds", system_,
                      KeyPair::generate(KeyKind::user), name, {}, now_);
}

base::Result<EnrolledVehicle> FleetKeys::enrol(const core::VehicleId& vehicle) const {
    const wire::Subjects subjects{cell_};
    const KeyPair user = KeyPair::generate(KeyKind::user);
    auto file = write_user(
        folder_ + "/" + vehicle.value + ".creds", account_, user, vehicle.value,
        {subjects.vehicle_may_publish(vehicle), subjects.vehicle_may_subscribe(vehicle)}, now_);
    if (!file) return tl::unexpected<base::Error>(file.error());
    return EnrolledVehicle{vehicle, user.public_key(), *file};
}

}  // namespace idlewatt::cli
