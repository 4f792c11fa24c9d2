// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A small HTTP/1.1 client for our own roles and commands: http and https, one connection per
// request. It follows no redirect: a 3xx is an answer like others.
//
// Threads: the loop's. Errors at the end: bad_input (the address, a file, a streamed body that is
// not as long as was said, an answer that is not HTTP), not_found (no such host), denied (the
// server's certificate is not trusted), unavailable (not reached, broken off, timed out),
// limit_exceeded, io (a file of ours).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "http/exchange.hpp"
#include "http/http.hpp"

namespace idlewatt::http {

struct Call {
    std::string url;  // http://host:port/path or https://…
    std::string method = "GET";
    Headers headers;
    std::string body;
    base::Duration connect_timeout = base::seconds(5);
    // From the last byte received or taken; 0: none. A pause does not count, nor does the time in
    // which a streamed body is waited for.
    base::Duration silence_timeout = base::seconds(60);

    // Instead of body: sent from the file, in bounded memory.
    FilePart body_file{};
    // Instead of body: given by Exchange::send() until Exchange::end_body().
    struct BodyStream {
        std::optional<std::uint64_t> bytes{};  // all of it; not known: sent in chunks
    };
    std::optional<BodyStream> body_stream{};
    // Sent as "authorization: Bearer …"; never in a message or a log.
    std::string bearer_token{};
    // https: PEM file of those who may have signed the server's certificate. Empty: the system's.
    std::string ca_file{};
    // Asks for these bytes (Range). The server may answer 200 with all of them instead of 206.
    struct Range {
        std::uint64_t offset = 0;
        std::uint64_t bytes = 0;  // 0: to the end
    };
    std::optional<Range> range{};
};

[[nodiscard]] std::unique_ptr<Exchange> call(base::AsioLoop& loop, Call call, CallHandler handler);

// Runs the loop until the answer is whole; for commands. Answers are at most 256 MiB.
[[nodiscard]] base::Result<Response> call_and_wait(base::AsioLoop& loop, Call call);

}  // namespace idlewatt::http
