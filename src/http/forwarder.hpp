// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Hands a request that a server of ours got on to another server, as it came, and its answer back:
// both in parts, so that what is held does not grow with what is carried. What concerns only the
// connection between two neighbours (RFC 9110, 7.6.1) stays behind; all else, `authorization` too,
// goes along.
//
// Threads: one loop's, as in exchange.hpp. The real one: call_forwarder.hpp.
#pragma once

#include <memory>

#include "http/exchange.hpp"
#include "http/http.hpp"

namespace idlewatt::http {

class Forwarder {
public:
    virtual ~Forwarder() = default;
    // Of a request whose body follows, the body is to be given by Exchange::send() and end_body().
    // The answer's headers come without those of the connection; a content-length stays.
    [[nodiscard]] virtual std::unique_ptr<Exchange> forward(const Request& request,
                                                            CallHandler handler) = 0;
};

// Those that go on to the next server or client.
[[nodiscard]] Headers end_to_end(const Headers& headers);

}  // namespace idlewatt::http
