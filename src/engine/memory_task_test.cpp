// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The twin's answers beyond words: forms, calls, thoughts, vectors, and how they are resumed.
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/simulated_loop.hpp"
#include "engine/engine_json.hpp"
#include "engine/memory_answer.hpp"
#include "engine/memory_engine.hpp"
#include "engine/memory_form.hpp"

namespace idlewatt::engine {
namespace {

struct TaskAnswer {
    std::vector<core::Piece> pieces;
    std::vector<core::Embedding> vectors;
    std::optional<StreamEnd> end;

    [[nodiscard]] std::string text() const {
        std::string all;
        for (const auto& piece : pieces)
            all += piece.text;
        return all;
    }
};

class MemoryTask : public ::testing::Test {
protected:
    base::SimulatedLoop loop;
    MemoryEngine engine{loop, {}};

    void SetUp() override {
        engine.start();
        loop.run_for(base::seconds(1));
    }
    StreamId start(TaskAnswer& answer, const std::string& json, core::Task task,
                   core::ResumePoint resume = {}) {
        StreamHandler handler;
        handler.on_piece = [&answer](core::Piece piece) {
            answer.pieces.push_back(std::move(piece));
        };
        handler.on_embedding = [&answer](core::Embedding vector) {
            answer.vectors.push_back(std::move(vector));
        };
        handler.on_end = [&answer](StreamEnd end) { answer.end = std::move(end); };
        return engine.generate({json, std::move(resume), "", task}, std::move(handler));
    }
    TaskAnswer ask(const std::string& json, core::ResumePoint resume = {},
                   core::Task task = core::Task::chat) {
        TaskAnswer answer;
        start(answer, json, task, std::move(resume));
        EXPECT_TRUE(loop.run_while_not([&] { return answer.end.has_value(); }, base::minutes(10)));
        return answer;
    }
};

std::string chat(const std::string& more, int seed) {
    return R"({"messages":[{"role":"user","content":")" + std::to_string(seed) + "\"}]," + more +
           "}";
}

const std::string tools =
    R"("tools":[{"type":"function","function":{"name":"park","parameters":{"type":"object",)"
    R"("properties":{"level":{"type":"integer","minimum":1,"maximum":3}},"required":["level"]}}},)"
    R"({"type":"function","function":{"name":"leave"}}])";

TEST(MemoryForm, FitsItsSchema) {
    const Json schema = Json::parse(
        R"({"type":"object","$defs":{"id":{"type":"string","minLength":5,"maxLength":5}},)"
        R"("properties":{"kind":{"enum":["a","b"]},"id":{"$ref":"#/$defs/id"},"n":{"type":)"
        R"("integer","minimum":-3,"maximum":4},"list":{"type":"array","items":{"type":"boolean"},)"
        R"("minItems":2,"maxItems":4},"choice":{"anyOf":[{"type":"null"},{"const":7}]},)"
        R"("self":{"$ref":"#/$defs/none"}}})");
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const Json made = example_of(schema, seed);
        EXPECT_TRUE(made["kind"] == "a" || made["kind"] == "b");
        EXPECT_EQ(made["id"].get<std::string>().size(), 5U);
        EXPECT_GE(made["n"].get<int>(), -3);
        EXPECT_LE(made["n"].get<int>(), 4);
        EXPECT_GE(made["list"].size(), 2U);
        EXPECT_LE(made["list"].size(), 4U);
        EXPECT_TRUE(made["choice"].is_null() || made["choice"] == 7);
        EXPECT_TRUE(made["self"].is_null());
        EXPECT_EQ(made, example_of(schema, seed));
    }
    EXPECT_TRUE(example_of(Json::parse(R"({"$ref":"#"})"), 1).is_null());
}

TEST_F(MemoryTask, AFormGoesOnFromEveryPiece) {
    for (int seed = 0; seed < 20; ++seed) {
        const std::string json = chat(
            R"("response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object",)"
            R"("properties":{"a":{"type":"string"},"b":{"type":"number"}}}}})",
            seed);
        const TaskAnswer whole = ask(json);
        EXPECT_TRUE(Json::accept(whole.text())) << whole.text();
        EXPECT_EQ(whole.text(), memory_answer(json));
        EXPECT_EQ(whole.end->finished.reason, core::FinishReason::stop);
        core::ResumePoint resume;
        std::string said;
        for (const core::Piece& piece : whole.pieces) {
            resume.append(piece.ids, piece.text, piece.token_count);
            said += piece.text;
            EXPECT_EQ(said + ask(json, resume).text(), whole.text());
        }
    }
    const TaskAnswer cut =
        ask(chat(R"("response_format":{"type":"json_object"},"max_tokens":2)", 1));
    EXPECT_EQ(cut.end->finished.reason, core::FinishReason::length);
    EXPECT_FALSE(Json::accept(cut.text()));
}

TEST_F(MemoryTask, CallsAreWholeAndLast) {
    int several = 0;
    int with_text = 0;
    for (int seed = 0; seed < 40; ++seed) {
        const std::string json = chat(tools, seed);
        const TaskAnswer whole = ask(json);
        EXPECT_EQ(whole.end->finished.reason, core::FinishReason::tool_calls);
        for (std::size_t i = 0; i + 1 < whole.pieces.size(); ++i)
            EXPECT_TRUE(whole.pieces[i].tool_calls.empty());
        const auto& calls = whole.pieces.back().tool_calls;
        ASSERT_FALSE(calls.empty());
        several += calls.size() > 1 ? 1 : 0;
        with_text += whole.text().empty() ? 0 : 1;
        for (const core::ToolCall& call : calls)
            EXPECT_TRUE(Json::parse(call.arguments_json).is_object());
        core::ResumePoint resume;
        std::string said;
        for (const core::Piece& piece : whole.pieces) {
            const TaskAnswer rest = ask(json, resume);
            EXPECT_EQ(said + rest.text(), whole.text());
            EXPECT_EQ(rest.pieces.back().tool_calls, calls);
            resume.append(piece.ids, piece.text, piece.token_count);
            said += piece.text;
        }
        EXPECT_TRUE(ask(json, resume).pieces.empty()) << "its calls were delivered";
    }
    EXPECT_GT(several, 3);
    EXPECT_GT(with_text, 10);
}

TEST_F(MemoryTask, CallsOnlyWhereTheyAreAllowed) {
    EXPECT_EQ(ask(chat(tools + R"(,"tool_choice":"none","max_tokens":5)", 1)).end->finished.reason,
              core::FinishReason::length);
    const TaskAnswer named =
        ask(chat(tools + R"(,"tool_choice":{"type":"function","function":{"name":"leave"}})", 1));
    EXPECT_EQ(named.pieces.back().tool_calls.at(0).name, "leave");
    EXPECT_TRUE(named.text().empty());
    EXPECT_EQ(ask(chat(tools + R"(,"tool_choice":{"function":{"name":"x"}})", 1)).end->kind,
              StreamEnd::Kind::rejected);
    const TaskAnswer result =
        ask(R"({"messages":[{"role":"tool","content":"2"}],"max_tokens":4,)" + tools + "}");
    EXPECT_EQ(result.end->finished.reason, core::FinishReason::length);
}

TEST_F(MemoryTask, ThoughtsComeWholeBeforeTheText) {
    const std::string json = chat(R"("reasoning_effort":"low","max_tokens":60)", 3);
    const TaskAnswer whole = ask(json);
    ASSERT_FALSE(whole.pieces[0].reasoning.empty());
    EXPECT_TRUE(whole.pieces[0].text.empty());
    EXPECT_EQ(whole.end->finished.generated_tokens, 60U);
    core::ResumePoint resume;
    std::string said;
    for (const core::Piece& piece : whole.pieces) {
        resume.append(piece.ids, piece.text, piece.token_count);
        resume.reasoning += piece.reasoning;
        said += piece.text;
        const TaskAnswer rest = ask(json, resume);
        EXPECT_EQ(said + rest.text(), whole.text());
        for (const core::Piece& later : rest.pieces)
            EXPECT_TRUE(later.reasoning.empty());
    }
    resume = {};
    resume.append({}, "", whole.pieces[0].token_count);
    resume.reasoning = "other thoughts";
    EXPECT_NE(ask(json, resume).text(), whole.text());
    EXPECT_TRUE(
        ask(chat(R"("reasoning_effort":"none","max_tokens":5)", 3)).pieces[0].reasoning.empty());
}

TEST_F(MemoryTask, VectorsStallCrashAndLieLikeAnswers) {
    const std::string json = R"({"input":["a","b","a",[1,2]]})";
    const TaskAnswer right = ask(json, {}, core::Task::embedding);
    ASSERT_EQ(right.vectors.size(), 4U);
    EXPECT_EQ(right.vectors[0].values, right.vectors[2].values);
    EXPECT_NE(right.vectors[0].values, right.vectors[1].values);
    EXPECT_EQ(right.end->finished.generated_tokens, 0U);
    engine.set_lying(true);
    EXPECT_NE(ask(json, {}, core::Task::embedding).vectors[0].values, right.vectors[0].values);
    engine.set_lying(false);
    TaskAnswer crashed;
    start(crashed, json, core::Task::embedding);
    loop.run_while_not([&] { return !crashed.vectors.empty(); }, base::seconds(10));
    engine.crash();
    loop.run_while_not([&] { return crashed.end.has_value(); }, base::seconds(10));
    EXPECT_EQ(crashed.end->kind, StreamEnd::Kind::engine_failed);
    EXPECT_LT(crashed.vectors.size(), 4U);
}

}  // namespace
}  // namespace idlewatt::engine
