// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Bytes of one HTTP/1.1 message to its parts. Hides Boost.Beast, whose headers only
// message_parser.cpp reads. One object parses one message; threads: any one.
//
// Both parsers take bytes from the front of what they are offered. What they leave must be offered
// again with more behind it, and is never larger than header_bytes_max.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "http/http.hpp"

namespace idlewatt::http {

class RequestParser {
public:
    struct Progress {
        std::size_t taken = 0;
        int refused = 0;  // the status to answer with; nothing can be parsed after that
    };

    RequestParser();
    ~RequestParser();

    // Stops behind the head, so that limit_body() may be called before any of the body is taken.
    [[nodiscard]] Progress feed(std::string_view bytes);

    [[nodiscard]] bool done() const;
    [[nodiscard]] std::size_t body_bytes() const;

    [[nodiscard]] bool head_done() const;
    // When the head is done. Without a body the request is done, too.
    [[nodiscard]] const Request& head() const;
    // A status to refuse with when the body is known to be larger, else 0.
    [[nodiscard]] int limit_body(std::uint64_t bytes);
    // What came since the last time.
    [[nodiscard]] std::string take_body();
    // Once: true when the client waits for "100 Continue" before it sends the body.
    [[nodiscard]] bool take_expectation();

    // When done.
    [[nodiscard]] bool keep_alive() const;
    [[nodiscard]] bool is_http_1_0() const;
    [[nodiscard]] Request take_request();

private:
    struct Implementation;
    std::unique_ptr<Implementation> impl_;
};

class ResponseParser {
public:
    explicit ResponseParser(bool to_head_request);
    ~ResponseParser();

    struct Progress {
        std::size_t taken = 0;
        bool broken = false;
    };
    [[nodiscard]] Progress feed(std::string_view bytes);
    // The server has closed its side. True when that is how this message ends, or it was done.
    [[nodiscard]] bool finish();

    [[nodiscard]] bool head_done() const;
    [[nodiscard]] bool done() const;
    [[nodiscard]] int status() const;
    [[nodiscard]] const Headers& headers() const;
    // What came since the last time.
    [[nodiscard]] std::string take_body();

private:
    struct Implementation;
    void start();

    bool to_head_request_;
    std::unique_ptr<Implementation> impl_;
};

}  // namespace idlewatt::http
