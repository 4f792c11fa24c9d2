// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Bytes given to the server's parser as a socket would give them, in parts of any size.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "fuzz.hpp"
#include "http/message_parser.hpp"

namespace idlewatt::fuzz {

struct ParsedRequest {
    int refused = 0;  // the status to answer with; 0: none
    bool done = false;
    http::Request request;  // as far as it came
};

inline ParsedRequest parse_request(std::string_view bytes, std::size_t part_bytes) {
    ParsedRequest outcome;
    http::RequestParser parser;
    bool limited = false;
    std::string held;
    for (std::size_t at = 0; at < bytes.size() && !parser.done() && outcome.refused == 0;
         at += part_bytes) {
        held.append(bytes.substr(at, part_bytes));
        bool again = true;
        while (again && !parser.done() && outcome.refused == 0) {
            const auto progress = parser.feed(held);
            require(progress.taken <= held.size(), "takes what is there");
            held.erase(0, progress.taken);
            outcome.refused = progress.refused;
            again = progress.taken > 0 && !held.empty();
            if (outcome.refused == 0 && parser.head_done() && !limited) {
                limited = true;
                outcome.refused = parser.limit_body(http::body_bytes_max);
                again = true;
            }
        }
    }
    outcome.done = outcome.refused == 0 && parser.done();
    if (parser.head_done() && outcome.refused == 0)
        outcome.request = parser.take_request();
    return outcome;
}

}  // namespace idlewatt::fuzz
