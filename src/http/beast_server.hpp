// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The real HTTP server: HTTP/1.1 (and 1.0) over TCP, with TLS 1.2 or later when it is given a
// certificate. Without one it listens on loopback only, unless it is told otherwise. One request of
// a connection at a time is with the handler; what a client sends ahead waits. Each connection and
// each open file of the process is one descriptor: connections_max needs a limit (RLIMIT_NOFILE)
// above it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "http/http.hpp"

namespace idlewatt::http {

struct ListenOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  // 0: any free one
    // Smaller ones are for tests.
    std::size_t connections = connections_max;
    base::Duration read = read_timeout;
    base::Duration idle = idle_timeout;
    base::Duration drain = drain_timeout;
    // TLS: PEM files, both or neither; read once. The certificate's file holds the chain, too.
    std::string certificate_file{};
    std::string key_file{};
    // Listens on addresses that others can reach without TLS: everybody on the way can read along.
    bool allow_plaintext = false;
};

struct Listening {
    std::unique_ptr<Server> server;
    std::uint16_t port = 0;
};

// Errors: bad_input (the address is not numeric, is not loopback and there is no certificate, or a
// certificate or key is none), io (the address is taken, a file cannot be read).
[[nodiscard]] base::Result<Listening> listen(base::AsioLoop& loop, const ListenOptions& options);

}  // namespace idlewatt::http
