// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/traffic_questions.hpp"

#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace idlewatt::cli {
namespace {

using Json = nlohmann::ordered_json;

TEST(Questions, LessonsAreOfAllKindsAndWereNeverTaught) {
    TrafficQuestionOptions options;
    options.subject = TrafficSubject::lessons;
    base::Prng prng(3);
    std::set<lessons::Kind> kinds;
    std::set<std::size_t> turns;
    std::size_t streamed = 0;
    constexpr std::size_t questions = 500;
    for (std::size_t i = 0; i < questions; ++i) {
        const TrafficQuestion question = make_traffic_question(options, prng);
        ASSERT_TRUE(question.lesson);
        EXPECT_TRUE(question.lesson->held_out);
        kinds.insert(question.lesson->kind);
        turns.insert(question.lesson->turns.size());
        streamed += question.streamed ? 1 : 0;
        const Json body = Json::parse(question.body);
        EXPECT_EQ(body["temperature"], 0);
        EXPECT_EQ(body.value("stream", false), question.streamed);
        std::vector<std::string> said;
        for (std::size_t turn = 0; turn < body["messages"].size(); ++turn) {
            EXPECT_EQ(body["messages"][turn]["role"], turn % 2 == 0 ? "user" : "assistant");
            said.push_back(body["messages"][turn]["content"]);
        }
        EXPECT_EQ(said, question.lesson->turns);
        EXPECT_EQ(question.prompt, said.back());
    }
    EXPECT_EQ(kinds.size(), lessons::kinds().size());
    EXPECT_GE(turns.size(), 2U);
    EXPECT_GT(streamed, questions / 2);
    EXPECT_LT(streamed, questions);
}

TEST(Questions, NotesHaveNoRightAnswer) {
    base::Prng prng(3);
    for (int i = 0; i < 100; ++i) {
        const TrafficQuestion question = make_traffic_question({}, prng);
        EXPECT_FALSE(question.lesson);
        const Json body = Json::parse(question.body);
        EXPECT_GE(body["max_tokens"].get<int>(), 24);
        EXPECT_LE(body["max_tokens"].get<int>(), 160);
        EXPECT_EQ(body["temperature"] == 0.7, body.contains("seed"));
    }
}

}  // namespace
}  // namespace idlewatt::cli
