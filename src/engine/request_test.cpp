// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/request.hpp"

#include <string>

#include <gtest/gtest.h>

#include "engine/chat_completion.hpp"
#include "engine/completion.hpp"
#include "engine/embedding.hpp"
#include "engine/engine_json.hpp"

namespace idlewatt::engine {
namespace {

Request request_of(const std::string& json, core::Task task = core::Task::chat) {
    auto request = read_request(json, task);
    EXPECT_TRUE(request) << json << (request ? "" : ": " + request.error().message);
    return request.value_or(Request{});
}

Json chat_of(const std::string& json, const Said& said = {}) {
    return Json::parse(chat_body(request_of(json), said));
}

const std::string two_tools = R"("tools":[{"type":"function","function":{"name":"f"}},)"
                              R"({"type":"function","function":{"name":"g"}}])";

TEST(Request, ASeedTurnsTheCacheOff) {
    EXPECT_TRUE(request_of(R"({"messages":[]})").cache_prompt);
    EXPECT_TRUE(request_of(R"({"messages":[],"seed":null})").cache_prompt);
    EXPECT_FALSE(request_of(R"({"messages":[],"seed":7})").cache_prompt);
    EXPECT_FALSE(request_of(R"({"messages":[],"cache_prompt":false})").cache_prompt);
    const Request seeded = request_of(R"({"messages":[],"seed":7})");
    const Json body = Json::parse(completion_body(seeded, "p", {}));
    EXPECT_EQ(body["cache_prompt"], false);
    EXPECT_EQ(body["seed"], 7);
}

TEST(Request, WhatTheEngineUsesToReadItselfIsNoClients) {
    const Json body = Json::parse(completion_body(
        request_of(R"({"messages":[],"generation_prompt":"x","chat_parser":"x","verbose":true,)"
                   R"("grammar_lazy":true,"grammar_type":"tool_calls","echo":true})"),
        "p", {}));
    for (const char* name :
         {"generation_prompt", "chat_parser", "verbose", "grammar_lazy", "grammar_type", "echo"}) {
        EXPECT_FALSE(body.contains(name)) << name;
    }
}

TEST(Request, AFormReachesTheEndpointThatCanGoOnWithIt) {
    const Request schema = request_of(
        R"({"messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"n",)"
        R"("schema":{"type":"integer"}}}})");
    EXPECT_FALSE(schema.held);
    EXPECT_EQ(Json::parse(schema.chat_json)["json_schema"], Json::parse(R"({"type":"integer"})"));
    const Request grammar = request_of(R"({"messages":[],"grammar":"root ::= \"a\""})");
    EXPECT_TRUE(grammar.held);
    EXPECT_EQ(Json::parse(completion_body(grammar, "p", {}))["grammar"], "root ::= \"a\"");
    const Request completion =
        request_of(R"({"prompt":"x","json_schema":{"type":"integer"}})", core::Task::completion);
    EXPECT_TRUE(completion.held);
    for (const char* format :
         {R"({"type":"json_object"})", R"({"type":"json_schema","json_schema":{"name":"n"}})"}) {
        const Request any =
            request_of(R"({"messages":[],"response_format":)" + std::string(format) + "}");
        EXPECT_EQ(any.form_json, R"({"json_schema":{"type":"object"}})");
    }
    EXPECT_FALSE(request_of(R"({"messages":[],"response_format":{"type":"text"}})").held);
}

TEST(Request, LogprobsOnlyWhenAskedFor) {
    EXPECT_FALSE(request_of(R"({"messages":[]})").top_logprobs);
    EXPECT_FALSE(request_of(R"({"messages":[],"logprobs":false,"top_logprobs":3})").top_logprobs);
    EXPECT_EQ(request_of(R"({"messages":[],"logprobs":true})").top_logprobs, 0U);
    const Request five = request_of(R"({"messages":[],"logprobs":true,"top_logprobs":5})");
    EXPECT_EQ(five.top_logprobs, 5U);
    EXPECT_EQ(Json::parse(completion_body(five, "p", {}))["n_probs"], 5);
    const Request completion = request_of(R"({"prompt":"x","logprobs":0})", core::Task::completion);
    EXPECT_EQ(completion.top_logprobs, 0U);
    EXPECT_EQ(Json::parse(completion_body(completion, "p", {}))["n_probs"], 1);
    EXPECT_FALSE(read_request(R"({"prompt":"x","logprobs":6})", core::Task::completion));
    EXPECT_FALSE(read_request(R"({"prompt":"x","logprobs":true})", core::Task::completion));
}

TEST(Request, ACompletionHasOnePromptAndALimit) {
    const auto prompt_of = [](const std::string& prompt) {
        return request_of(R"({"prompt":)" + prompt + "}", core::Task::completion).prompt;
    };
    EXPECT_EQ(prompt_of(R"("say")"), Input("say"));
    EXPECT_EQ(prompt_of(R"(["say"])"), Input("say"));
    EXPECT_EQ(prompt_of("[1,2]"), Input(core::TokenIds{1, 2}));
    EXPECT_EQ(prompt_of("[[1,2]]"), Input(core::TokenIds{1, 2}));
    for (const char* bad : {R"(["a","b"])", "[[1],[2]]", "[]", "3", "[-1]", "[1.5]", "null"}) {
        EXPECT_FALSE(read_request(R"({"prompt":)" + std::string(bad) + "}", core::Task::completion))
            << bad;
    }
    const auto limit_of = [](const std::string& more) {
        return request_of(R"({"prompt":"x")" + more + "}", core::Task::completion).tokens_max;
    };
    EXPECT_EQ(limit_of(""), completion_tokens_default);
    EXPECT_EQ(limit_of(R"(,"max_tokens":5)"), 5U);
    EXPECT_FALSE(limit_of(R"(,"n_predict":-1)"));
}

TEST(Request, AnEmbeddingHasUpToThousandsOfInputs) {
    const auto inputs_of = [](const std::string& input) {
        return request_of(R"({"input":)" + input + "}", core::Task::embedding).inputs;
    };
    EXPECT_EQ(inputs_of(R"("a")"), std::vector<Input>{"a"});
    EXPECT_EQ(inputs_of("[1,2]"), std::vector<Input>{(core::TokenIds{1, 2})});
    EXPECT_EQ(inputs_of(R"(["a",[1]])"), (std::vector<Input>{"a", core::TokenIds{1}}));
    Json many = Json::array();
    for (std::uint32_t i = 0; i < core::embedding_inputs_max; ++i)
        many.push_back("a");
    EXPECT_EQ(inputs_of(many.dump()).size(), core::embedding_inputs_max);
    many.push_back("a");
    for (const std::string& bad :
         {std::string("[]"), std::string(R"("")"), std::string(R"(["a",""])"),
          std::string(R"([["a"]])"), many.dump()}) {
        EXPECT_FALSE(read_request(R"({"input":)" + bad + "}", core::Task::embedding));
    }
    EXPECT_FALSE(read_request(R"({"input":"a","dimensions":8})", core::Task::embedding));
}

TEST(Request, NamedFunctionsAreTheOnlyOnesLeft) {
    EXPECT_FALSE(request_of(R"({"messages":[]})").tools);
    EXPECT_FALSE(request_of(R"({"messages":[],"tools":[]})").tools);
    EXPECT_TRUE(request_of(R"({"messages":[],)" + two_tools + "}").tools);
    EXPECT_FALSE(request_of(R"({"messages":[],"tool_choice":"none",)" + two_tools + "}").tools);
    const Json named = chat_of(R"({"messages":[],"tool_choice":{"type":"function",)"
                               R"("function":{"name":"g"}},)" +
                               two_tools + "}");
    EXPECT_EQ(named["tool_choice"], "required");
    ASSERT_EQ(named["tools"].size(), 1U);
    EXPECT_EQ(named["tools"][0]["function"]["name"], "g");
    const Json allowed = chat_of(R"({"messages":[],"tool_choice":{"type":"allowed_tools",)"
                                 R"("allowed_tools":{"mode":"auto","tools":[{"type":"function",)"
                                 R"("function":{"name":"f"}}]}},)" +
                                 two_tools + "}");
    EXPECT_EQ(allowed["tool_choice"], "auto");
    EXPECT_EQ(allowed["tools"].size(), 1U);
}

TEST(Request, AChatGoesOnAsALastMessage) {
    const std::string json = R"({"messages":[{"role":"user","content":"x"}],"max_tokens":10})";
    const Json fresh = chat_of(json);
    EXPECT_EQ(fresh["messages"].size(), 1U);
    EXPECT_EQ(fresh["max_tokens"], 10);
    EXPECT_EQ(fresh["stream"], true);
    const Json rest = chat_of(json, {"so far", "hm", 4});
    ASSERT_EQ(rest["messages"].size(), 2U);
    EXPECT_EQ(rest["messages"][1], Json::parse(R"({"role":"assistant","content":"so far",)"
                                               R"("reasoning_content":"hm"})"));
    EXPECT_EQ(rest["max_tokens"], 6);
}

TEST(Request, HowMuchToThinkReachesTheTemplate) {
    const Json low = chat_of(R"({"messages":[],"reasoning_effort":"low"})");
    EXPECT_EQ(low["chat_template_kwargs"],
              Json::parse(R"({"enable_thinking":true,"reasoning_effort":"low"})"));
    const Json none = chat_of(R"({"messages":[],"reasoning_effort":"none"})");
    EXPECT_EQ(none["chat_template_kwargs"], Json::parse(R"({"enable_thinking":false})"));
    EXPECT_FALSE(chat_of(R"({"messages":[]})").contains("chat_template_kwargs"));
}

TEST(Request, PicturesAreSeen) {
    EXPECT_FALSE(request_of(R"({"messages":[{"role":"user","content":[{"type":"text","text":)"
                            R"("x"}]}]})")
                     .images);
    EXPECT_TRUE(request_of(R"({"messages":[{"role":"user","content":[{"type":"image_url",)"
                           R"("image_url":{"url":"data:"}}]}]})")
                    .images);
}

TEST(Embedding, ReadsBase64AndNumbersAlike) {
    const auto answer = read_embeddings(
        R"({"data":[{"index":1,"embedding":[1.0,-2.0]},{"index":0,"embedding":"AACAPwAAAMA="}],)"
        R"("usage":{"prompt_tokens":5}})",
        2);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->vectors[0], answer->vectors[1]);
    EXPECT_EQ(answer->vectors[0], std::string("\0\0\x80\x3f\0\0\0\xc0", 8));
    EXPECT_EQ(answer->prompt_tokens, 5U);
    for (const char* bad :
         {"", "{}", R"({"data":[]})", R"({"data":[{"index":0,"embedding":"A*"}]})",
          R"({"data":[{"index":1,"embedding":[1]}]})", R"({"data":[{"embedding":[]}]})",
          R"({"data":[{"embedding":["x"]}]})", R"({"data":[{"embedding":"AAAA"}]})"}) {
        EXPECT_FALSE(read_embeddings(bad, 1)) << bad;
    }
}

TEST(ChatCompletion, PutsCallsTogetherAndLeavesOutWhatWasCutOff) {
    CallBook calls;
    calls.take({0, "id0", "f", ""});
    calls.take({0, "", "", R"({"a":)"});
    calls.take({0, "", "", "1}"});
    calls.take({1, "id1", "g", R"({"b)"});
    calls.take({1'000'000, "x", "x", "{}"});
    const auto whole = calls.whole();
    ASSERT_EQ(whole.size(), 1U);
    EXPECT_EQ(whole[0], (core::ToolCall{"id0", "f", R"({"a":1})"}));
}

TEST(ChatCompletion, ReadsEvents) {
    ChatEvents events;
    events.feed(
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}],"
        "\"timings\":{\"predicted_n\":2,\"cache_n\":3,\"prompt_n\":4}}\n\n"
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"i\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n"
        "data: {\"choices\":[],\"usage\":{\"completion_tokens\":9,\"prompt_tokens\":7}}\n\n"
        "data: [DONE]\n\n"
        "error: {\"code\":500,\"message\":\"oh\"}\n\n");
    const auto next = [&] {
        auto event = events.next();
        EXPECT_TRUE(event && *event);
        return std::get<ChatEvent>(**event);
    };
    EXPECT_TRUE(next().text.empty());
    const ChatEvent thought = next();
    EXPECT_EQ(thought.reasoning, "hm");
    EXPECT_EQ(thought.tokens_predicted, 2U);
    EXPECT_EQ(thought.tokens_evaluated, 7U);
    EXPECT_EQ(next().calls.at(0).arguments, "{");
    EXPECT_EQ(next().reason, core::FinishReason::tool_calls);
    EXPECT_EQ(next().tokens_predicted, 9U);
    const auto last = events.next();
    ASSERT_TRUE(last && *last);
    EXPECT_EQ(std::get<EngineError>(**last).message, "oh");
}

}  // namespace
}  // namespace idlewatt::engine
