// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Opens a connection to a NATS server, up to the server's word that it knows us. Internal to the
// module. Threads: any; it waits, so never the loop's once that runs.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "bus/nats_protocol.hpp"
#include "bus/nats_socket.hpp"

namespace idlewatt::bus {

struct NatsServerChoice {
    std::vector<NatsAddress> addresses;  // at least one
    std::string label;                   // what the connection calls itself
    std::string credentials_file;        // empty: none
    bool tls = false;
    std::string ca_file;  // empty: the system's authorities
};

struct NatsSession {
    NatsSocket socket;
    NatsReader reader;  // may hold what the server said beyond its greeting
};

// Tries the addresses one after the other, from one of them on that `start` chooses; each has as
// much time as the others, beside the looking up of its name, which the system bounds. The error is
// that of an address that refuses us, or the last one's: bad_input, denied, unavailable.
[[nodiscard]] base::Result<NatsSession> open_nats_session(const NatsServerChoice& choice,
                                                          base::Duration timeout,
                                                          std::uint64_t start);

}  // namespace idlewatt::bus
