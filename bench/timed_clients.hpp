// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Clients of a chat API that take the time of every answer where it reaches their socket. The same
// code asks a gateway over TCP and an engine over its Unix socket, so their times can be compared.
//
// Blocks its thread; one poll() for all clients.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/loop.hpp"

namespace idlewatt {

struct Door {
    std::string socket_path;  // or empty:
    std::uint16_t port = 0;   // of 127.0.0.1
    std::string api_key;      // empty: none
};

// Asks one question after the other on one connection, as long as the other side keeps it.
struct TimedClient {
    Door door;
    std::vector<std::string> bodies;  // of POST /v1/chat/completions
};

struct TimedAnswer {
    std::string failure;  // empty: whole
    base::Instant asked_at;
    base::Instant first_at;    // a piece of text
    base::Instant last_at;     // likewise
    std::uint32_t tokens = 0;  // as its usage says
};

// All clients at once; all answers, in no order.
[[nodiscard]] std::vector<TimedAnswer> ask_all(const base::Loop& clock,
                                               const std::vector<TimedClient>& clients);

}  // namespace idlewatt
