// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/answer_record.hpp"

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::cli {
namespace {

std::string chunk(const std::string& choice) {
    return R"(data: {"id":"chatcmpl-w1","object":"chat.completion.chunk","choices":[)" + choice +
           "]}\n\n";
}

const std::string stream =
    chunk(R"({"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null})") +
    chunk(R"({"index":0,"delta":{"content":"Grüß "},"finish_reason":null})") + ": working\n\n" +
    chunk(R"({"index":0,"delta":{"content":"😀\n"},"finish_reason":null})") +
    chunk(R"({"index":0,"delta":{},"finish_reason":"stop"})") +
    R"(data: {"id":"chatcmpl-w1","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":9}})" +
    "\n\ndata: [DONE]\n\n";

AnswerRecord read_stream(const std::string& bytes, std::size_t part,
                         const std::string& broken = "") {
    AnswerRecord record;
    record.streamed = true;
    AnswerReader reader;
    reader.on_status(record, 200, "text/event-stream");
    base::Instant now;
    for (std::size_t at = 0; at < bytes.size(); at += part) {
        now = now + base::milliseconds(1);
        reader.on_body(record, std::string_view(bytes).substr(at, part), now);
    }
    reader.on_end(record, broken, now);
    return record;
}

AnswerRecord read_whole(int status, const std::string& body) {
    AnswerRecord record;
    AnswerReader reader;
    reader.on_status(record, status, "application/json");
    reader.on_body(record, body, base::Instant{});
    reader.on_end(record, "", base::Instant{});
    return record;
}

TEST(AnswerReader, ReadsAStreamHoweverItIsCut) {
    for (std::size_t part = 1; part <= stream.size(); ++part) {
        const AnswerRecord record = read_stream(stream, part);
        ASSERT_EQ(record.text, "Grüß 😀\n") << part;
        ASSERT_EQ(record.request_id, "chatcmpl-w1");
        ASSERT_EQ(work_id_of(record), "w1");
        ASSERT_EQ(record.finish_reason, "stop");
        ASSERT_TRUE(record.done_seen);
        ASSERT_EQ(record.protocol_complaint, "");
        ASSERT_EQ(record.piece_times.size(), 2U);
        ASSERT_TRUE(record.usage);
        ASSERT_EQ(record.usage->completion_tokens, 9U);
        ASSERT_EQ(outcome_of(record), AnswerOutcome::completed);
    }
    const AnswerRecord byte_by_byte = read_stream(stream, 1);
    EXPECT_GT(longest_pause_of(byte_by_byte), base::milliseconds(20));
}

TEST(AnswerReader, TakesNoHalfEvent) {
    const std::size_t second = stream.find("Grüß") + 3;
    const AnswerRecord record = read_stream(stream.substr(0, second), 7, "connection reset");
    EXPECT_EQ(record.text, "");
    EXPECT_EQ(outcome_of(record), AnswerOutcome::failed);
    const AnswerRecord without_done = read_stream(stream.substr(0, stream.find("data: [")), 7);
    EXPECT_EQ(outcome_of(without_done), AnswerOutcome::failed);
}

TEST(AnswerReader, KnowsWhyAnAnswerFailed) {
    const auto stream_error = [](const std::string& code) {
        return read_stream(
            stream.substr(0, stream.find(": working")) +
                R"(data: {"error":{"message":"m","type":"server_error","param":null,"code":")" +
                code + "\"}}\n\n",
            5);
    };
    EXPECT_EQ(outcome_of(stream_error("worker_preempted")), AnswerOutcome::failed_no_capacity);
    EXPECT_EQ(outcome_of(stream_error("engine_failed")), AnswerOutcome::failed);
    EXPECT_EQ(stream_error("engine_failed").text, "Grüß ");

    const auto refused = [](int status, const std::string& code) {
        return read_whole(status, R"({"error":{"message":"m","code":")" + code + "\"}}");
    };
    EXPECT_EQ(outcome_of(refused(503, "no_capacity")), AnswerOutcome::failed_no_capacity);
    EXPECT_EQ(outcome_of(refused(429, "fleet_busy")), AnswerOutcome::rejected);
    EXPECT_EQ(outcome_of(refused(400, "invalid_request")), AnswerOutcome::rejected);
    EXPECT_EQ(outcome_of(refused(502, "engine_failed")), AnswerOutcome::failed);
}

TEST(AnswerReader, ReadsAWholeAnswer) {
    const AnswerRecord record =
        read_whole(200, R"({"id":"chatcmpl-w2","choices":[{"index":0,"message":)"
                        R"({"role":"assistant","content":"yes"},"finish_reason":"length"}],)"
                        R"("usage":{"prompt_tokens":1,"completion_tokens":2}})");
    EXPECT_EQ(record.text, "yes");
    EXPECT_EQ(record.finish_reason, "length");
    EXPECT_EQ(outcome_of(record), AnswerOutcome::completed);
    EXPECT_EQ(outcome_of(read_whole(200, "no JSON")), AnswerOutcome::failed);
}

TEST(AnswerReader, ComplainsAsAStrictClientWould) {
    EXPECT_NE(read_stream(stream + chunk("{}"), 9).protocol_complaint, "");
    EXPECT_NE(read_stream("event: x\n\n" + stream, 9).protocol_complaint, "");
    EXPECT_NE(read_stream(stream + "data: {", 9).protocol_complaint, "");
    std::string other_id = stream;
    other_id.replace(other_id.rfind("chatcmpl-w1"), 11, "chatcmpl-w9");
    EXPECT_NE(read_stream(other_id, 9).protocol_complaint, "");
}

TEST(AnswerReader, LivesThroughNonsense) {
    base::Prng prng(3);
    for (int round = 0; round < 500; ++round) {
        std::string bytes = stream;
        for (int i = 0; i < 8; ++i)
            bytes[prng.below(bytes.size())] = static_cast<char>(prng.below(256));
        (void)read_stream(bytes, 1 + prng.below(50));
        (void)read_whole(200, bytes.substr(prng.below(bytes.size())));
    }
}

}  // namespace
}  // namespace idlewatt::cli
