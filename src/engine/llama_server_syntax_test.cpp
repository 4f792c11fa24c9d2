// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Answers in a form: JSON by a schema, calls of functions, thoughts before the text. Cut at random
// places and continued by an engine that has never seen them, they must stay right and must not
// contradict what was said.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "engine/engine_json.hpp"
#include "engine/llama_server_fixture_test.hpp"
#include "engine/random_vocabulary.hpp"

namespace idlewatt::engine {
namespace {

constexpr base::Duration syntax_patience = base::seconds(60);

// Cuts in each test; the long run sets more.
int rounds() {
    const char* text = std::getenv("IDLEWATT_ROUNDS");
    return text == nullptr ? 3 : std::max(1, std::atoi(text));
}

const std::string schema =
    R"({"type":"object","properties":{"place":{"enum":["street","garage"]},"note":{"type":)"
    R"("string","maxLength":12},"seats":{"type":"array","items":{"type":"boolean"},"minItems":1,)"
    R"("maxItems":3}},"required":["place","note","seats"],"additionalProperties":false})";

bool fits_schema(const std::string& text) {
    const Json made = Json::parse(text, nullptr, false);
    if (!made.is_object() || made.size() != 3)
        return false;
    const Json& seats = member(made, "seats");
    return (member(made, "place") == "street" || member(made, "place") == "garage") &&
           member(made, "note").is_string() && seats.is_array() && !seats.empty() &&
           seats.size() <= 3 && std::all_of(seats.begin(), seats.end(), [](const Json& seat) {
               return seat.is_boolean();
           });
}

class LlamaServerSyntax : public ::testing::Test {
protected:
    LlamaServerFixture fixture{[](LlamaServerOptions& options) {
        options.model_path = model_file(WeightType::f32, 1, RandomSyntax::thinking);
    }};
    Condition condition = Condition::idle;
    base::Prng prng{7};

    void SetUp() override {
        fixture.engine->on_status([this](const Status& status) { condition = status.condition; });
        start();
    }
    void start() {
        fixture.engine->start();
        ASSERT_TRUE(run_until([&] { return condition == Condition::ready; }));
    }
    // Another process that knows nothing.
    void start_anew() {
        bool gone = false;
        fixture.engine->kill([&] { gone = true; });
        ASSERT_TRUE(run_until([&] { return gone; }));
        start();
    }
    bool run_until(const std::function<bool()>& done) {
        return fixture.run_until(done, syntax_patience);
    }

    StreamId ask(Answer& answer, const std::string& json, core::ResumePoint resume = {}) {
        return fixture.engine->generate({json, std::move(resume), "syntax"}, answer.handler());
    }
    void ask_whole(Answer& answer, const std::string& json, core::ResumePoint resume = {}) {
        ask(answer, json, std::move(resume));
        ASSERT_TRUE(run_until([&] { return answer.end.has_value(); })) << json;
        ASSERT_EQ(answer.end->kind, StreamEnd::Kind::finished)
            << answer.end->failure << answer.end->rejected.message;
        std::uint32_t counted = 0;
        for (const core::Piece& piece : answer.pieces)
            counted += piece.token_count;
        EXPECT_LE(counted, answer.end->finished.generated_tokens);
    }

    // What a client has when the car leaves after so many pieces.
    static core::ResumePoint after(const Answer& answer, std::size_t pieces, std::string& said) {
        core::ResumePoint resume;
        for (std::size_t i = 0; i < pieces; ++i) {
            const core::Piece& piece = answer.pieces[i];
            resume.append(piece.ids, piece.text, piece.token_count);
            resume.reasoning += piece.reasoning;
            said += piece.text;
        }
        return resume;
    }

    // Likelier ends of thoughts, calls and turns: random weights come to a point.
    static std::string request(const std::string& more, int seed, int end_bias = 1) {
        static const RandomVocabulary vocabulary = random_vocabulary(RandomSyntax::thinking);
        const auto bias = [](const char* text, double by) {
            const auto found =
                std::find(vocabulary.texts.begin(), vocabulary.texts.end(), std::string(text));
            return "\"" + std::to_string(found - vocabulary.texts.begin()) +
                   "\":" + std::to_string(by);
        };
        return R"({"messages":[{"role":"user","content":"Go."}],"max_tokens":1400,"seed":)" +
               std::to_string(seed) + R"(,"logit_bias":{)" + bias("</think>", 3) + "," +
               bias("<tool_call>", 3) + "," + bias("</tool_call>", 48) + "," +
               bias("<|im_end|>", end_bias) + "}," + more + "}";
    }
    static std::string form_request(int seed) {
        return request(R"("chat_template_kwargs":{"enable_thinking":false},"response_format":)"
                       R"({"type":"json_schema","json_schema":{"name":"n","schema":)" +
                           schema + "}}",
                       seed);
    }
    // One call or several. No end is allowed before a call; after one it is likely.
    static std::string call_request(int seed) {
        return request(R"("tool_choice":"required","parallel_tool_calls":)" +
                           std::string(seed % 3 == 0 ? "false" : "true") +
                           R"(,"tools":[{"type":"function","function":{"name":)"
                           R"("park","parameters":)" +
                           schema + "}}]",
                       seed, 8);
    }
};

TEST_F(LlamaServerSyntax, AFormCutAnywhereGoesOnValidOnAFreshEngine) {
    int cuts = 0;
    for (int round = 0; round < rounds(); ++round) {
        const std::string json = form_request(round);
        Answer whole;
        ask_whole(whole, json);
        ASSERT_TRUE(fits_schema(whole.text)) << whole.text;
        std::string said;
        const core::ResumePoint resume =
            after(whole, 1 + prng.below(whole.pieces.size() - 1), said);
        start_anew();
        Answer rest;
        ask_whole(rest, json, resume);
        EXPECT_TRUE(fits_schema(said + rest.text)) << said << " | " << rest.text;
        EXPECT_EQ(rest.end->finished.prompt_tokens, whole.end->finished.prompt_tokens);
        cuts += fits_schema(said + rest.text) ? 1 : 0;
    }
    std::printf("schema: %d of %d cut answers valid\n", cuts, rounds());
}

TEST_F(LlamaServerSyntax, CallsAreWholeAndLastAndAnAnswerGoesOnBehindItsText) {
    int valid = 0;
    int cut_in_text = 0;
    int ended = 0;
    std::size_t calls = 0;
    for (int round = 0; round < rounds(); ++round) {
        const std::string json = call_request(round);
        Answer whole;
        ask_whole(whole, json);
        if (whole.end->finished.reason == core::FinishReason::length)
            continue;  // random weights do not always come to a point
        ASSERT_FALSE(whole.calls.empty()) << whole.text;
        EXPECT_EQ(whole.end->finished.reason, core::FinishReason::tool_calls);
        ++ended;
        for (const core::ToolCall& call : whole.calls) {
            EXPECT_EQ(call.name, "park");
            EXPECT_FALSE(call.id.empty());
            EXPECT_TRUE(fits_schema(call.arguments_json)) << call.arguments_json;
        }
        calls += whole.calls.size();
        // Anywhere before the calls: they are never half said.
        std::string said;
        const core::ResumePoint resume = after(whole, prng.below(whole.pieces.size()), said);
        cut_in_text += said.empty() ? 0 : 1;
        start_anew();
        Answer rest;
        ask_whole(rest, json, resume);
        const bool cut = rest.end->finished.reason == core::FinishReason::length;
        ASSERT_TRUE(cut || !rest.calls.empty()) << said << " | " << rest.text;
        if (!said.empty()) {
            EXPECT_TRUE(rest.resume.reasoning.empty()) << "thoughts after text";
        }
        const bool fits = std::all_of(rest.calls.begin(), rest.calls.end(), [](const auto& call) {
            return call.name == "park" && fits_schema(call.arguments_json);
        });
        EXPECT_TRUE(fits) << rest.calls[0].arguments_json;
        valid += fits ? 1 : 0;
    }
    std::printf("calls: %d of %d cut answers valid, %d of them cut in their text; %zu calls\n",
                valid, ended, cut_in_text, calls);
    EXPECT_GT(ended, rounds() / 2);
}

TEST_F(LlamaServerSyntax, ThoughtsComeWholeBeforeTheTextAndNotTwice) {
    for (int round = 0; round < rounds(); ++round) {
        const std::string json = request(R"("temperature":1)", 100 + round);
        Answer whole;
        ask_whole(whole, json);
        if (whole.text.empty() || whole.resume.reasoning.empty())
            continue;  // random weights need not do both
        EXPECT_EQ(whole.pieces[0].reasoning, whole.resume.reasoning);
        EXPECT_GT(whole.pieces[0].token_count, 0U);
        EXPECT_FALSE(whole.resume.reasoning.find("</think>") != std::string::npos);
        std::string said;
        const core::ResumePoint resume = after(whole, 1 + prng.below(whole.pieces.size()), said);
        start_anew();
        Answer rest;
        ask_whole(rest, json, resume);
        EXPECT_TRUE(rest.resume.reasoning.empty());
        EXPECT_EQ(rest.end->finished.prompt_tokens, whole.end->finished.prompt_tokens);
    }
}

TEST_F(LlamaServerSyntax, AKillWhileItThinksOrCallsLeavesNothingHalfSaid) {
    Answer thinking;
    // Long enough to be caught.
    ask(thinking, request(R"("reasoning_effort":"high","logit_bias":{},"ignore_eos":true)", 1));
    fixture.run_until([] { return false; }, base::milliseconds(60));
    start_anew();
    ASSERT_TRUE(run_until([&] { return thinking.end.has_value(); }));
    EXPECT_EQ(thinking.end->kind, StreamEnd::Kind::engine_failed);
    for (const core::Piece& piece : thinking.pieces)
        EXPECT_TRUE(piece.reasoning.empty() || !thinking.text.empty());
    EXPECT_TRUE(thinking.calls.empty());
}

// A grammar of the client's own cannot go on in the middle: it is said whole or not at all.
TEST_F(LlamaServerSyntax, AGrammarIsAnsweredInOnePiece) {
    const std::string json = request(R"("grammar":"root ::= \"a\" [0-9]{30} \"z\"")", 3);
    Answer answer;
    ask_whole(answer, json);
    ASSERT_EQ(answer.pieces.size(), 1U);
    EXPECT_EQ(answer.text.size(), 32U);
    Answer again;
    ask_whole(again, json, answer.resume);
    EXPECT_TRUE(again.pieces.empty());
    EXPECT_EQ(again.end->finished.reason, core::FinishReason::stop);
}

TEST_F(LlamaServerSyntax, WhatTheEngineRefusesIsTheClientsError) {
    for (const std::string& json :
         {request(R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":)"
                  R"({"type":"nonsense"}}})",
                  1),
          request(R"("grammar":"root ::= ("))", 1),
          R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":)"
          R"("data:image/png;base64,AAAA"}}]}]})" +
              std::string()}) {
        Answer answer;
        ask(answer, json);
        ASSERT_TRUE(run_until([&] { return answer.end.has_value(); })) << json;
        EXPECT_EQ(answer.end->kind, StreamEnd::Kind::rejected) << json << answer.end->failure;
    }
}

}  // namespace
}  // namespace idlewatt::engine
