// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What every engine owes its owner beyond plain chat: completions, probabilities, vectors, answers
// of a given form, functions. Asked of the real one and of its twin alike.
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/engine_json.hpp"
#include "engine/engine_subject_test.hpp"

namespace idlewatt::engine {
namespace {

std::vector<float> floats_of(const core::Embedding& vector) {
    std::vector<float> values(vector.values.size() / sizeof(float));
    std::memcpy(values.data(), vector.values.data(), values.size() * sizeof(float));
    return values;
}

class EngineTasks : public ::testing::TestWithParam<MakeSubject> {
protected:
    std::unique_ptr<Subject> subject = GetParam()();
    Status status;

    void SetUp() override {
        subject->engine().on_status([this](const Status& now) { status = now; });
        start();
    }
    void start() {
        subject->engine().start();
        ASSERT_TRUE(subject->run_until([&] { return status.condition == Condition::ready; }));
    }
    StreamId ask(Answer& answer, core::Task task, const std::string& json,
                 core::ResumePoint resume = {}) {
        return subject->engine().generate({json, std::move(resume), "tasks", task},
                                          answer.handler());
    }
    bool finish(const Answer& answer) {
        return subject->run_until([&] { return answer.end.has_value(); });
    }
    void ask_whole(Answer& answer, core::Task task, const std::string& json,
                   core::ResumePoint resume = {}) {
        ask(answer, task, json, std::move(resume));
        ASSERT_TRUE(finish(answer)) << json;
        ASSERT_EQ(answer.end->kind, StreamEnd::Kind::finished)
            << json << ": " << answer.end->failure << answer.end->rejected.message;
    }
};

TEST_P(EngineTasks, ACompletionGoesOnExactlyFromTextAndFromTokens) {
    for (const char* prompt : {R"("the car is")", "[310,320,330]"}) {
        const std::string json = R"({"prompt":)" + std::string(prompt) +
                                 R"(,"temperature":0,"ignore_eos":true,"max_tokens":24})";
        Answer whole;
        ask_whole(whole, core::Task::completion, json);
        EXPECT_EQ(whole.end->finished.generated_tokens, 24U);
        EXPECT_EQ(whole.end->finished.reason, core::FinishReason::length);
        EXPECT_GT(whole.end->finished.prompt_tokens, 0U);
        core::ResumePoint resume;
        std::string said;
        for (std::size_t i = 0; i < whole.pieces.size(); ++i) {
            const core::Piece& piece = whole.pieces[i];
            resume.append(piece.ids, piece.text, piece.token_count);
            said += piece.text;
            if (i % 7 != 0)
                continue;
            Answer rest;
            ask_whole(rest, core::Task::completion, json, resume);
            EXPECT_EQ(said + rest.text, whole.text) << "after " << resume.tokens << " tokens";
            EXPECT_EQ(rest.end->finished.prompt_tokens, whole.end->finished.prompt_tokens);
        }
    }
}

TEST_P(EngineTasks, ACompletionWithoutLimitHasSixteenTokens) {
    Answer answer;
    ask_whole(answer, core::Task::completion,
              R"({"prompt":"the car","temperature":0,"ignore_eos":true})");
    EXPECT_EQ(answer.end->finished.generated_tokens, 16U);
}

TEST_P(EngineTasks, ProbabilitiesComeOnlyWhenAskedFor) {
    const std::string chat = greedy_request(12);
    Answer without;
    ask_whole(without, core::Task::chat, chat);
    for (const core::Piece& piece : without.pieces)
        EXPECT_TRUE(piece.logprobs_json.empty());

    const std::string asked =
        chat.substr(0, chat.size() - 1) + R"(,"logprobs":true,"top_logprobs":3})";
    const std::string completion =
        R"({"prompt":"the car","temperature":0,"ignore_eos":true,"max_tokens":12,"logprobs":3})";
    for (const auto task : {core::Task::chat, core::Task::completion}) {
        Answer answer;
        ask_whole(answer, task, task == core::Task::chat ? asked : completion);
        std::string text;
        for (const core::Piece& piece : answer.pieces) {
            const Json entries = Json::parse(piece.logprobs_json, nullptr, false);
            ASSERT_TRUE(entries.is_array()) << piece.logprobs_json;
            for (const Json& entry : entries) {
                text += entry.at("token").get<std::string>();
                EXPECT_LE(entry.at("logprob").get<double>(), 0.0);
                EXPECT_EQ(entry.at("top_logprobs").size(), 3U);
                EXPECT_TRUE(entry.at("bytes").is_array());
                EXPECT_FALSE(entry.contains("id"));
                EXPECT_GE(entry.at("top_logprobs")[0].at("logprob"), entry.at("logprob"));
            }
        }
        EXPECT_EQ(text, answer.text);
    }
}

TEST_P(EngineTasks, VectorsAreTheSameEveryTime) {
    ASSERT_TRUE(status.ready.embeddings);
    const std::string json = R"({"input":["a car in the night","water",[310,320,330],"a car"]})";
    Answer first;
    ask_whole(first, core::Task::embedding, json);
    ASSERT_EQ(first.vectors.size(), 4U);
    EXPECT_TRUE(first.pieces.empty());
    EXPECT_EQ(first.end->finished.generated_tokens, 0U);
    EXPECT_GT(first.end->finished.prompt_tokens, 5U);
    for (const core::Embedding& vector : first.vectors) {
        EXPECT_EQ(vector.values.size(), first.vectors[0].values.size());
        EXPECT_EQ(vector.values.size() % 4, 0U);
        double square = 0.0;
        for (const float value : floats_of(vector))
            square += static_cast<double>(value) * static_cast<double>(value);
        EXPECT_NEAR(square, 1.0, 1e-3);
    }
    EXPECT_NE(first.vectors[0].values, first.vectors[1].values);
    // Another life of the engine, and busy with chat.
    bool gone = false;
    subject->engine().kill([&] { gone = true; });
    ASSERT_TRUE(subject->run_until([&] { return gone; }));
    status = {};
    start();
    Answer chat;
    ask(chat, core::Task::chat, greedy_request(200));
    Answer second;
    ask_whole(second, core::Task::embedding, json);
    ASSERT_EQ(second.vectors.size(), 4U);
    // Other neighbours in the batch are other sums: as little as this.
    for (std::size_t i = 0; i < 4; ++i) {
        const auto before = floats_of(first.vectors[i]);
        const auto after = floats_of(second.vectors[i]);
        ASSERT_EQ(before.size(), after.size());
        for (std::size_t k = 0; k < before.size(); ++k)
            EXPECT_NEAR(before[k], after[k], 1e-5F) << i << ", " << k;
    }
    ASSERT_TRUE(finish(chat));
    EXPECT_EQ(chat.end->finished.generated_tokens, 200U);
}

TEST_P(EngineTasks, ManyVectorsArriveInOrderAndCanBePaused) {
    Json inputs = Json::array();
    for (int i = 0; i < 40; ++i)
        inputs.push_back("car " + std::to_string(i));
    Answer answer;
    StreamId id{};
    answer.delivered = [&] { subject->engine().set_paused(id, answer.vectors.size() == 1); };
    id = ask(answer, core::Task::embedding, Json{{"input", inputs}}.dump());
    ASSERT_TRUE(subject->run_until([&] { return !answer.vectors.empty(); }));
    Answer other;
    ask_whole(other, core::Task::embedding, R"({"input":"x"})");
    EXPECT_EQ(answer.vectors.size(), 1U);
    subject->engine().set_paused(id, false);
    ASSERT_TRUE(finish(answer));
    EXPECT_EQ(answer.vectors.size(), 40U);
}

TEST_P(EngineTasks, AFormIsKeptFromEveryCut) {
    const std::string json =
        R"({"messages":[{"role":"user","content":"Describe."}],"temperature":0,"max_tokens":300,)"
        R"("response_format":{"type":"json_schema","json_schema":{"name":"d","schema":)"
        R"({"type":"object","properties":{"place":{"enum":["street","garage"]},"seats":)"
        R"({"type":"array","items":{"enum":["front","rear"]},"minItems":2,"maxItems":3}},)"
        R"("required":["place","seats"],"additionalProperties":false}}}})";
    Answer whole;
    ask_whole(whole, core::Task::chat, json);
    EXPECT_EQ(whole.end->finished.reason, core::FinishReason::stop);
    ASSERT_TRUE(Json::accept(whole.text)) << whole.text;
    core::ResumePoint resume;
    std::string said;
    for (std::size_t i = 0; i < whole.pieces.size(); ++i) {
        const core::Piece& piece = whole.pieces[i];
        resume.append(piece.ids, piece.text, piece.token_count);
        said += piece.text;
        if (i % 9 != 0)
            continue;
        Answer rest;
        ask_whole(rest, core::Task::chat, json, resume);
        const Json made = Json::parse(said + rest.text, nullptr, false);
        ASSERT_TRUE(made.is_object()) << said << " | " << rest.text;
        EXPECT_TRUE(made["place"] == "street" || made["place"] == "garage");
        EXPECT_GE(made["seats"].size(), 2U);
    }
}

TEST_P(EngineTasks, BadTasksAreTheClientsError) {
    const auto rejected = [&](core::Task task, const std::string& json) {
        Answer answer;
        ask(answer, task, json);
        EXPECT_TRUE(finish(answer)) << json;
        EXPECT_EQ(answer.end->kind, StreamEnd::Kind::rejected) << json;
        EXPECT_EQ(answer.end->rejected.http_status, 400U);
    };
    rejected(core::Task::completion, "{}");
    rejected(core::Task::completion, R"({"prompt":["a","b"]})");
    rejected(core::Task::completion, R"({"prompt":"a","logprobs":9})");
    rejected(core::Task::embedding, "{}");
    rejected(core::Task::embedding, R"({"input":[]})");
    rejected(core::Task::embedding, R"({"input":"a","dimensions":2})");
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineTasks,
                         ::testing::Values([] { return std::make_unique<MemorySubject>(); },
                                           [] { return std::make_unique<LlamaServerSubject>(); }),
                         [](const auto& instance) {
                             return instance.index == 0 ? "Memory" : "LlamaServer";
                         });

}  // namespace
}  // namespace idlewatt::engine
