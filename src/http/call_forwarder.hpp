// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The real forwarder: one call (client.hpp) for each request.
#pragma once

#include <memory>
#include <string>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "http/forwarder.hpp"

namespace idlewatt::http {

struct ForwarderOptions {
    std::string url;        // http(s)://host:port, before the request's path
    std::string ca_file{};  // PEM of who may have signed the server's certificate; empty: system's
};

// Errors: bad_input (the address is none). Whether somebody is there shows at each request.
[[nodiscard]] base::Result<std::unique_ptr<Forwarder>> forward_to(base::AsioLoop& loop,
                                                                  ForwarderOptions options);

}  // namespace idlewatt::http
