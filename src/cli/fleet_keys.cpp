// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/fleet_keys.hpp"

#include <filesystem>

#include "cli/files.hpp"
#include "coordinator/credentials.hpp"
#include "wire/subject.hpp"

namespace idlewatt::cli {

using identity::KeyKind;
using identity::KeyPair;

namespace {

// Accounts as they begin are older than anything that is ever pushed to a server: a configuration
// that is written again must not undo a revocation.
constexpr base::WallTime founding{1'000'000};

base::Result<KeyPair> kept_key(const std::string& file, KeyKind kind, char first_letter) {
    if (!std::filesystem::exists(file)) {
        KeyPair fresh = KeyPair::generate(kind);
        auto written = write_secret(file, fresh.seed());
        if (!written)
            return tl::unexpected<base::Error>(written.error());
        return fresh;
    }
    auto text = read_file(file);
    if (!text)
        return tl::unexpected<base::Error>(text.error());
    auto key = KeyPair::from_seed(*text);
    if (key && key->public_key().front() == first_letter)
        return key;
    return base::fail(base::ErrorKind::bad_input,
                      "'" + file + "' holds no seed of the kind that belongs there; remove it, " +
                          "and the fleet gets a new key");
}

}  // namespace

base::Result<std::unique_ptr<FleetKeys>> FleetKeys::open(std::string cell, std::string folder,
                                                         base::WallTime now) {
    auto operator_key = kept_key(folder + "/operator.seed", KeyKind::operator_key, 'O');
    auto account = kept_key(folder + "/account.seed", KeyKind::account, 'A');
    auto system = kept_key(folder + "/system.seed", KeyKind::account, 'A');
    for (const auto* key : {&operator_key, &account, &system}) {
        if (!*key)
            return tl::unexpected<base::Error>(key->error());
    }
    FleetKeys keys(std::move(cell), std::move(folder), now, *operator_key, *account, *system);
    return std::make_unique<FleetKeys>(std::move(keys));
}

FleetKeys::FleetKeys(std::string cell, std::string folder, base::WallTime now, KeyPair operator_key,
                     KeyPair account, KeyPair system)
    : cell_(std::move(cell)),
      folder_(std::move(folder)),
      now_(now),
      operator_(std::move(operator_key)),
      account_(std::move(account)),
      system_(std::move(system)) {}

void FleetKeys::describe(bus::NatsServerOptions& options) const {
    options.operator_jwt =
        identity::mint_operator_jwt(operator_, "idlewatt", system_.public_key(), now_);
    options.account_public_key = account_.public_key();
    options.account_jwt =
        identity::mint_account_jwt(operator_, account_.public_key(), "fleet", founding);
    options.system_account_public_key = system_.public_key();
    options.system_account_jwt =
        identity::mint_account_jwt(operator_, system_.public_key(), "system", founding);
}

namespace {

base::Result<std::string> write_user(const std::string& file, const KeyPair& account,
                                     const KeyPair& user, const std::string& name,
                                     const identity::Permissions& permissions, base::WallTime now,
                                     std::string_view tag) {
    const std::string jwt = identity::mint_user_jwt(account, user.public_key(), name, permissions,
                                                    now, std::nullopt, tag);
    auto written = write_secret(file, identity::credentials(jwt, user.seed()));
    if (!written)
        return tl::unexpected<base::Error>(written.error());
    return file;
}

// The key of these credentials, if they were made earlier. What somebody signed with it and has
// not delivered yet would else be a stranger's.
base::Result<KeyPair> user_of(const std::string& credentials_file) {
    const auto earlier = read_file(credentials_file);
    if (!earlier)
        return KeyPair::generate(KeyKind::user);
    return identity::key_of_credentials(*earlier);
}

}  // namespace

base::Result<std::string> FleetKeys::gateway_credentials(const core::GatewayId& gateway,
                                                         const std::string& file_name) const {
    const std::string path = folder_ + "/" + file_name + ".creds";
    const auto user = user_of(path);
    if (!user)
        return tl::unexpected<base::Error>(user.error());
    return write_user(path, account_, *user, wire::bus_name(gateway),
                      coordinator::gateway_permissions(cell_, gateway), now_,
                      identity::gateway_tag);
}

base::Result<std::string> FleetKeys::coordinator_credentials() const {
    return write_user(folder_ + "/coordinator.creds", account_, KeyPair::generate(KeyKind::user),
                      coordinator::coordinator_bus_name,
                      coordinator::coordinator_permissions(cell_), now_, identity::coordinator_tag);
}

base::Result<std::string> FleetKeys::system_credentials(const std::string& name) const {
    return write_user(folder_ + "/" + name + "-system.creds", system_,
                      KeyPair::generate(KeyKind::user), name, {}, now_, {});
}

base::Result<EnrolledVehicle> FleetKeys::enrol(const core::VehicleId& vehicle) const {
    const wire::Subjects subjects{cell_};
    const std::string path = folder_ + "/" + vehicle.value + ".creds";
    const auto user = user_of(path);
    if (!user)
        return tl::unexpected<base::Error>(user.error());
    auto file =
        write_user(path, account_, *user, vehicle.value,
                   {subjects.vehicle_may_publish(vehicle), subjects.vehicle_may_subscribe(vehicle)},
                   now_, identity::vehicle_tag);
    if (!file)
        return tl::unexpected<base::Error>(file.error());
    return EnrolledVehicle{vehicle, user->public_key(), *file};
}

}  // namespace idlewatt::cli
