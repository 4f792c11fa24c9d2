// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A small HTTP client for our own commands and demo traffic, over TCP to a gateway. Plain http
// only; one connection per request.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "http/http.hpp"

namespace idlewatt::http {

struct Call {
    std::string url;  // http://host:port/path
    std::string method = "GET";
    Headers headers;
    std::string body;
    base::Duration connect_timeout = base::seconds(5);
    // From the last byte received; 0: none.
    base::Duration silence_timeout = base::seconds(60);
};

struct CallHandler {
    std::function<void(int status, const Headers&)> on_head;
    std::function<void(std::string_view bytes)> on_body;
    // Exactly once. Error: not reached, broken off, timed out.
    std::function<void(base::Result<void>)> on_end;
};

// Destroying it hangs up without a further callback.
class Exchange {
public:
    virtual ~Exchange() = default;
};

[[nodiscard]] std::unique_ptr<Exchange> call(base::AsioLoop& loop, Call call, CallHandler handler);

// Runs the loop until the answer is whole; for commands.
[[nodiscard]] base::Result<Response> call_and_wait(base::AsioLoop& loop, Call call);

}  // namespace idlewatt::http
