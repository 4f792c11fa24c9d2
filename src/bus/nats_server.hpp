// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What it takes to run a nats-server of one's own: its program, its configuration, the address it
// has chosen. Starting and ending it is base::ChildProcess's work. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace idlewatt::bus {

inline constexpr int any_port = -1;

struct NatsServerOptions {
    std::string host = "127.0.0.1";
    int port = any_port;

    // Who may come: users whose JWT one of these two accounts has signed (identity.hpp).
    std::string operator_jwt;
    std::string account_public_key;
    std::string account_jwt;
    std::string system_account_public_key;  // named in the operator's JWT, too
    std::string system_account_jwt;

    // The full resolver: accounts live as files in this folder, updates pushed to the server
    // ($SYS.REQ.CLAIMS.UPDATE) survive its restarts: the server keeps the newer of the pushed JWT
    // and the one above, by their time of issue. Empty: in the server's memory only.
    std::string resolver_folder{};

    // TLS for clients: PEM files, both or neither.
    std::string certificate_file{};
    std::string key_file{};
    // Listens on addresses that others can reach without TLS.
    bool allow_plaintext = false;

    std::string ports_folder;  // where the server writes which port it has; empty: nowhere
    std::string pid_file;      // empty: none
    std::string log_file;      // empty: stderr

    std::int64_t payload_bytes_max = 1024 * 1024;
    int connections_max = 200'000;
    // A silent client is given up after interval times (pings + 1).
    base::Duration ping_interval = base::seconds(2);
    int pings_out_max = 2;
    base::Duration write_deadline = base::seconds(2);
};

// To be called before the server is started. Refuses (bad_input) an address that others can reach
// without TLS, and a certificate or key that cannot be read; makes the resolver's folder and places
// both accounts' JWTs in it where there is none yet, so that what was pushed is never undone.
[[nodiscard]] base::Result<void> prepare_nats_server(const NatsServerOptions& options);

// The text of the server's configuration file. It holds no secret.
[[nodiscard]] std::string nats_server_config(const NatsServerOptions& options);

// The first that is there: $IDLEWATT_NATS_SERVER, the engine bundle's, the one on PATH.
[[nodiscard]] base::Result<std::string> find_nats_server();

struct NatsServerAddress {
    std::string url;
    int port = 0;
};

// What the server with this process id has written into its ports folder; nothing until it is
// ready for clients.
[[nodiscard]] std::optional<NatsServerAddress> nats_server_address(const std::string& ports_folder,
                                                                   int pid);

}  // namespace idlewatt::bus
