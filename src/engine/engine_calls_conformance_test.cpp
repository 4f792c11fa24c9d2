// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A call that a client demands is made, whatever the model would rather do. Asked of the real
// engine, with a model that never calls by itself, and of its twin.
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "engine/engine_json.hpp"
#include "engine/engine_subject_test.hpp"

namespace idlewatt::engine {
namespace {

class EngineCalls : public ::testing::TestWithParam<MakeSubject> {
protected:
    std::unique_ptr<Subject> subject = GetParam()();
    Status status;

    void SetUp() override {
        subject->engine().on_status([this](const Status& now) { status = now; });
        start();
    }
    void start() {
        status = {};
        subject->engine().start();
        ASSERT_TRUE(subject->run_until([&] { return status.condition == Condition::ready; }));
    }
    void ask_whole(Answer& answer, const std::string& json) {
        subject->engine().generate({json, {}, "calls"}, answer.handler());
        ASSERT_TRUE(subject->run_until([&] { return answer.end.has_value(); })) << json;
        ASSERT_EQ(answer.end->kind, StreamEnd::Kind::finished)
            << json << ": " << answer.end->failure << answer.end->rejected.message;
    }

    static std::string function(const std::string& name) {
        return R"({"type":"function","function":{"name":")" + name +
               R"(","parameters":{"type":"object","properties":{"place":{"enum":["street",)"
               R"("garage"]},"hours":{"type":"integer","minimum":1,"maximum":9}},)"
               R"("required":["place","hours"],"additionalProperties":false}}})";
    }
    static std::string request(const std::string& more) {
        return R"({"messages":[{"role":"user","content":"Park."}],"temperature":1,"tools":[)" +
               function("park") + "," + function("leave") + "]," + more + "}";
    }
    static void expect_valid(const core::ToolCall& call) {
        EXPECT_FALSE(call.id.empty());
        const Json arguments = Json::parse(call.arguments_json, nullptr, false);
        ASSERT_TRUE(arguments.is_object()) << call.arguments_json;
        EXPECT_TRUE(arguments.at("place") == "street" || arguments.at("place") == "garage");
        EXPECT_TRUE(arguments.at("hours").is_number_integer());
    }
};

TEST_P(EngineCalls, ADemandedCallIsMadeAndNothingIsSaidBeside) {
    for (int seed = 0; seed < 6; ++seed) {
        Answer answer;
        ask_whole(answer, request(R"("tool_choice":"required","max_tokens":600,"seed":)" +
                                  std::to_string(seed)));
        EXPECT_EQ(answer.end->finished.reason, core::FinishReason::tool_calls);
        EXPECT_TRUE(answer.text.empty()) << answer.text;
        EXPECT_EQ(answer.pieces.size(), 1U);
        ASSERT_FALSE(answer.calls.empty());
        for (const core::ToolCall& call : answer.calls) {
            EXPECT_TRUE(call.name == "park" || call.name == "leave") << call.name;
            expect_valid(call);
        }
        EXPECT_GT(answer.end->finished.generated_tokens, 0U);
    }
}

TEST_P(EngineCalls, ANamedFunctionIsTheOneAndOneMeansOne) {
    Answer answer;
    ask_whole(answer, request(R"("tool_choice":{"type":"function","function":{"name":"leave"}},)"
                              R"("parallel_tool_calls":false,"stop":"{","seed":1)"));
    EXPECT_EQ(answer.end->finished.reason, core::FinishReason::tool_calls);
    ASSERT_EQ(answer.calls.size(), 1U);
    EXPECT_EQ(answer.calls[0].name, "leave");
    expect_valid(answer.calls[0]);
}

TEST_P(EngineCalls, TooFewTokensForACallAreSaidToBeTooFew) {
    Answer answer;
    ask_whole(answer, request(R"("tool_choice":"required","max_tokens":3)"));
    EXPECT_EQ(answer.end->finished.reason, core::FinishReason::length);
    EXPECT_EQ(answer.end->finished.generated_tokens, 3U);
    EXPECT_TRUE(answer.text.empty()) << answer.text;
    EXPECT_TRUE(answer.calls.empty());
}

TEST_P(EngineCalls, AKillLeavesNothingHalfSaidAndTheNextEngineCalls) {
    const std::string json = request(R"("tool_choice":"required","max_tokens":600,"seed":4)");
    Answer lost;
    subject->engine().generate({json, {}, "calls"}, lost.handler());
    subject->run_until([] { return false; }, base::milliseconds(10));
    bool gone = false;
    subject->engine().kill([&] { gone = true; });
    ASSERT_TRUE(subject->run_until([&] { return gone; }));
    EXPECT_TRUE(lost.text.empty());
    start();
    Answer again;
    ask_whole(again, json);
    ASSERT_FALSE(again.calls.empty());
    expect_valid(again.calls[0]);
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineCalls,
                         ::testing::Values([] { return std::make_unique<MemorySubject>(); },
                                           [] { return std::make_unique<LlamaServerSubject>(); }),
                         [](const auto& instance) {
                             return instance.index == 0 ? "Memory" : "LlamaServer";
                         });

}  // namespace
}  // namespace idlewatt::engine
