// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the server roles have in common as processes: settings, keys, connection, life and end.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "bus/nats_bus.hpp"
#include "config/config.hpp"
#include "http/beast_server.hpp"
#include "identity/identity.hpp"

namespace idlewatt::cli {

// Says on stderr what is wrong and gives the code to end with.
int role_failed(const base::Error& error);

// The log's level, the NATS connection and the address are named alike for every role:
// TABLE.listen, TABLE.credentials_file and so on.
void set_up_role_log(const config::Settings& settings, const std::string& role);
[[nodiscard]] base::Result<bus::NatsOptions> nats_options_of(const config::Settings& settings,
                                                             const std::string& role,
                                                             const std::string& bus_name);
[[nodiscard]] http::ListenOptions listen_options_of(const config::Settings& settings,
                                                    const std::string& role);

struct RoleKey {
    identity::KeyPair key;  // of its NATS credentials
    std::string user_jwt;
};
[[nodiscard]] base::Result<RoleKey> role_key_of(const config::Settings& settings,
                                                const std::string& role);

// Writes the pid file and runs until SIGINT or SIGTERM. on_signal, if there is one, has then to
// stop the loop, once; a second signal stops it at once.
void run_role(base::AsioLoop& loop, const std::string& pid_file,
              const std::function<void()>& on_signal = {});

[[nodiscard]] std::uint64_t random_seed();

}  // namespace idlewatt::cli
