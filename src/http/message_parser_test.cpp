// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/message_parser.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace idlewatt::http {
namespace {

// What a socket does at its worst: byte after byte, and what was left is offered again.
template <class Parser>
bool parses_in_drops(Parser& parser, std::string_view message, std::string& body) {
    std::string waiting;
    for (const char byte : message) {
        waiting += byte;
        for (int offered = 0; offered < 2; ++offered) {
            const auto progress = parser.feed(waiting);
            waiting.erase(0, progress.taken);
            body += parser.take_body();
        }
    }
    return parser.done() && waiting.empty();
}

const std::string post_in_chunks =
    "POST /v1/files HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
const std::string answer_in_chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

struct ChunkedBody {
    std::string sent;
    std::string body;
};

const std::vector<ChunkedBody> chunked_bodies = {
    {"0\r\n\r\n", ""},
    {"000\r\n\r\n", ""},
    {"0\r\ntrailer: t\r\n\r\n", ""},
    {"1\r\na\r\n0\r\n\r\n", "a"},
    {"5\r\nhello\r\n3;x=y\r\n, y\r\n0\r\ntrailer: t\r\n\r\n", "hello, y"},
};

TEST(MessageParser, chunks_may_come_in_drops) {
    for (const ChunkedBody& chunked : chunked_bodies) {
        RequestParser request;
        std::string body;
        EXPECT_TRUE(parses_in_drops(request, post_in_chunks + chunked.sent, body)) << chunked.sent;
        EXPECT_EQ(body, chunked.body);
        ResponseParser response(false);
        body.clear();
        EXPECT_TRUE(parses_in_drops(response, answer_in_chunks + chunked.sent, body))
            << chunked.sent;
        EXPECT_EQ(body, chunked.body);
    }
}

TEST(MessageParser, a_last_chunk_that_never_ends_is_no_whole_message) {
    for (const char* const beginning : {"0", "0\r", "0\r\n", "0\r\n\r", "0\r\na: b\r\n"}) {
        ResponseParser response(false);
        std::string body;
        EXPECT_FALSE(parses_in_drops(response, answer_in_chunks + beginning, body)) << beginning;
        EXPECT_FALSE(response.finish()) << beginning;
    }
}

}  // namespace
}  // namespace idlewatt::http
