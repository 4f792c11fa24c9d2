// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Everything that an engine says is numbered, counted and kept until it is acknowledged.
#include "agent/attempt.hpp"

#include <string>

#include <gtest/gtest.h>

namespace idlewatt::agent {
namespace {

Attempt running() {
    Attempt attempt(core::AttemptId("a"), core::Open{core::GatewayId("g"), 1, 4, "work"}, {}, {});
    attempt.run({core::WorkId("w"), "m", "{}", {}, core::Task::embedding});
    return attempt;
}

core::Embedding vector(std::uint32_t index, std::size_t bytes) {
    return {index, std::string(bytes, 'x')};
}

TEST(Attempt, VectorsAreNumberedLikePieces) {
    Attempt attempt = running();
    EXPECT_EQ(attempt.number(vector(0, 128)).sequence, 1U);
    EXPECT_EQ(attempt.number(vector(1, 128)).sequence, 2U);
    core::Finished finished;
    finished.prompt_tokens = 9;
    EXPECT_EQ(attempt.end(finished).sequence, 3U);
    EXPECT_EQ(attempt.unacknowledged_from(2).size(), 2U);
    attempt.acknowledge(3);
    EXPECT_TRUE(attempt.settled());
    const core::Receipt receipt = attempt.receipt(core::AttemptEnd::finished, {});
    EXPECT_EQ(receipt.prompt_tokens, 9U);
    EXPECT_EQ(receipt.generated_tokens, 0U);
    EXPECT_EQ(receipt.acknowledged_tokens, 0U);
}

TEST(Attempt, LongVectorsFillTheWindow) {
    Attempt attempt = running();
    std::uint32_t said = 0;
    while (!attempt.window_full() && said < core::embedding_inputs_max)
        (void)attempt.number(vector(said++, 16 * 1024));
    EXPECT_LE(said, core::window_bytes / (16 * 1024) + 1);
    attempt.acknowledge(1);
    EXPECT_FALSE(attempt.window_full());
}

TEST(Attempt, WhatIsNoTextFillsTheWindowToo) {
    const std::string much(core::window_bytes / 2, 'x');
    core::Piece thought;
    thought.reasoning = much;
    core::Piece call;
    call.tool_calls.push_back({"id", "name", much});
    core::Piece probabilities;
    probabilities.logprobs_json = much;
    for (const core::Piece& piece : {thought, call, probabilities}) {
        Attempt attempt = running();
        (void)attempt.number(piece);
        EXPECT_FALSE(attempt.window_full());
        (void)attempt.number(piece);
        EXPECT_TRUE(attempt.window_full());
    }
}

}  // namespace
}  // namespace idlewatt::agent
