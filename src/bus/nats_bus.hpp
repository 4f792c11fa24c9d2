// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The bus on a NATS server or cluster, by a client of our own on the loop (docs/decisions/0016).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "bus/bus.hpp"

namespace idlewatt::bus {

struct NatsOptions {
    std::vector<std::string> urls;        // nats://127.0.0.1:4222
    std::string name;                     // becomes the inbox prefix _INBOX_<name>
    std::string label;                    // "<name>/<incarnation>" for agents
    std::string credentials_file;         // JWT and seed; empty: none
    std::string system_credentials_file;  // for on_departure, system_request; empty: none
    // Reconnects go on for ever, the first within this delay, with jitter.
    base::Duration reconnect_delay = base::milliseconds(50);
    base::Duration connect_timeout = base::seconds(5);
    // TLS is used when a url begins with tls:// or a file is named here: PEM, of those who may have
    // signed the server's certificate. Empty: the system's.
    std::string ca_file{};
    // Servers that are not on loopback are refused without TLS, unless this is set.
    bool allow_plaintext = false;
};

// Blocks for at most connect_timeout, both connections together, beside the looking up of names
// (called before the loop runs, which is to run soon: a server waits for some seconds only).
// Errors: bad_input (an address, a file, plain text to another machine), denied, unavailable.
[[nodiscard]] base::Result<std::unique_ptr<Bus>> connect_nats(base::AsioLoop& loop,
                                                              const NatsOptions& options);

}  // namespace idlewatt::bus
