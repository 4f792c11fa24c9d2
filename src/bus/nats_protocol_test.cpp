// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_protocol.hpp"

#include <algorithm>
#include <cstring>

#include <gtest/gtest.h>

namespace idlewatt::bus {
namespace {

const std::string session =
    "INFO {\"server_id\":\"N\",\"max_payload\":1048576}\r\n"
    "+OK\r\n"
    "MSG v.car1.out 7 5\r\nhello\r\n"
    "MSG  v.car1.in\t8 _INBOX_a.r1  0\r\n\r\n"
    "PING\r\n"
    "HMSG _INBOX_a.n2 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"
    "HMSG a 9 b 21 24\r\nNATS/1.0\r\nname: 1\r\n\r\nabc\r\n"
    "PONG\r\n"
    "-ERR 'Permissions Violation for Publish to \"a\"'\r\n";

std::string told(const NatsWord& word) {
    const auto quoted = [](std::string_view text) { return '<' + std::string(text) + '>'; };
    return std::to_string(static_cast<int>(word.kind)) + ' ' + std::to_string(word.subscription) +
           quoted(word.subject) + quoted(word.reply) + quoted(word.headers) + quoted(word.payload) +
           quoted(word.text) + (says_no_responders(word) ? "nobody" : "");
}

// What is read of the bytes when they come in pieces of this size; the error's text at the end.
std::vector<std::string> read_in_pieces(std::string_view bytes, std::size_t piece) {
    NatsReader reader;
    std::vector<std::string> words;
    while (!bytes.empty()) {
        const std::span<char> room = reader.room(piece);
        const std::size_t count = std::min({piece, bytes.size(), room.size()});
        std::memcpy(room.data(), bytes.data(), count);
        reader.arrived(count);
        bytes.remove_prefix(count);
        for (;;) {
            const auto word = reader.next();
            if (!word) {
                words.push_back(word.error().message);
                return words;
            }
            if (!*word)
                break;
            words.push_back(told(**word));
        }
    }
    return words;
}

std::vector<std::string> read_whole(const std::string& bytes) {
    return read_in_pieces(bytes, bytes.size());
}

TEST(NatsReader, reads_every_word_of_a_server) {
    const auto words = read_whole(session);
    ASSERT_EQ(words.size(), 9U);
    EXPECT_EQ(words[0], "1 0<><><><><{\"server_id\":\"N\",\"max_payload\":1048576}>");
    EXPECT_EQ(words[2], "0 7<v.car1.out><><><hello><>");
    EXPECT_EQ(words[3], "0 8<v.car1.in><_INBOX_a.r1><><><>");
    EXPECT_EQ(words[5], "0 1<_INBOX_a.n2><><NATS/1.0 503\r\n\r\n><><>nobody");
    EXPECT_EQ(words[6], "0 9<a><b><NATS/1.0\r\nname: 1\r\n\r\n><abc><>");
    EXPECT_EQ(words[8], "5 0<><><><><Permissions Violation for Publish to \"a\">");
}

TEST(NatsReader, does_not_care_how_the_bytes_are_cut) {
    const auto whole = read_whole(session);
    for (std::size_t piece = 1; piece < 64; ++piece)
        EXPECT_EQ(read_in_pieces(session, piece), whole) << piece;
}

TEST(NatsReader, takes_a_large_message_and_gives_its_room_back) {
    const std::string payload(message_bytes_max, 'x');
    const std::string bytes =
        "MSG a 1 " + std::to_string(payload.size()) + "\r\n" + payload + "\r\n";
    EXPECT_EQ(read_in_pieces(bytes, 60'000), read_whole(bytes));
    NatsReader reader;
    static_cast<void>(reader.room(bytes.size()));
    EXPECT_LT(reader.room(1).size(), message_bytes_max);
}

TEST(NatsReader, refuses_what_is_not_the_protocol_and_what_is_too_large) {
    const std::string too_large = std::to_string(message_bytes_max + 1);
    for (const std::string& bytes : std::vector<std::string>{
             "HTTP/1.1 400 Bad Request\r\n", "\n", "\r\n", "PING\n", "ping\r\n", "MSG a 1\r\n",
             "MSG a 1 b c 1\r\n", "MSG a x 1\r\n", "MSG a 1 -1\r\n", "MSG a 1 2x\r\n",
             "MSG a 1 " + too_large + "\r\n", "MSG a 1 99999999999999999999999\r\n",
             "HMSG a 1 2 1\r\nx\r\n", "HMSG a 1 1\r\n", "MSG a 1 1\r\nxyz\r\n",
             std::string(line_bytes_max + 1, 'x'),
             "INFO " + std::string(line_bytes_max, 'x') + "\r\n"}) {
        const auto words = read_whole(bytes);
        ASSERT_EQ(words.size(), 1U) << bytes.substr(0, 80);
        EXPECT_NE(words[0].find("does not speak NATS"), std::string::npos) << words[0];
        EXPECT_LT(words[0].size(), 150U);
    }
}

TEST(NatsWords, are_written_as_a_server_reads_them) {
    std::string out;
    write_connect(out, "{}");
    write_subscription(out, "v.>", 12);
    write_publication(out, "a.b", "", "hello");
    write_publication(out, "a.b", "_INBOX_a.r1", "");
    write_unsubscription(out, 12);
    write_ping(out);
    write_pong(out);
    EXPECT_EQ(out,
              "CONNECT {}\r\nSUB v.> 12\r\nPUB a.b 5\r\nhello\r\nPUB a.b _INBOX_a.r1 0\r\n\r\n"
              "UNSUB 12\r\nPING\r\nPONG\r\n");
}

}  // namespace
}  // namespace idlewatt::bus
