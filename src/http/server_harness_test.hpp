// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A server with clients at its other side, real or in memory, for the conformance suite.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "http/http.hpp"

namespace idlewatt::http {

// One call as its client has seen it so far.
struct Seen {
    int status = 0;
    Headers headers;
    std::string body;
    bool ended = false;
    bool complete = false;
    std::uint64_t number = 0;  // the harness's own name for it
};

class Harness {
public:
    virtual ~Harness() = default;
    [[nodiscard]] virtual Server& server() = 0;
    virtual void destroy_server() = 0;
    virtual std::shared_ptr<Seen> send(std::string method, std::string target, Headers headers,
                                       std::string body) = 0;
    virtual void hang_up(Seen& call) = 0;
    // False when the condition did not come true in generous time.
    [[nodiscard]] virtual bool run_until(const std::function<bool()>& condition) = 0;
};

using MakeHarness = std::unique_ptr<Harness> (*)();

[[nodiscard]] std::unique_ptr<Harness> make_memory_harness();
[[nodiscard]] std::unique_ptr<Harness> make_beast_harness();
[[nodiscard]] std::unique_ptr<Harness> make_tls_harness();

}  // namespace idlewatt::http
