// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The asking side of one HTTP request, whoever carries it: what comes back, and how both directions
// are held up. Threads: one loop's. Callbacks run in tasks of the loop, never inside a call, and
// may destroy the exchange.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "http/http.hpp"

namespace idlewatt::http {

struct CallHandler {
    std::function<void(int status, const Headers&)> on_head;
    std::function<void(std::string_view bytes)> on_body;
    // Exactly once.
    std::function<void(base::Result<void>)> on_end;
    // How much of the request's body is with the kernel: grows. For progress bars, and for who
    // sends a streamed body.
    std::function<void(std::uint64_t sent_bytes)> on_sent{};
};

// Destroying it hangs up without a further callback.
class Exchange {
public:
    virtual ~Exchange() = default;
    // Back-pressure: while paused nothing is read and no callback comes, but for on_sent.
    virtual void pause() = 0;
    virtual void resume() = 0;

    // Of a request whose body is streamed. Never blocks: the caller watches on_sent and keeps what
    // it gives bounded. Without effect once the exchange has ended.
    virtual void send(std::string bytes) = 0;
    // All was given. Less than was announced breaks the request off.
    virtual void end_body() = 0;
};

}  // namespace idlewatt::http
