// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a chat request tells the gateway, and what reaches the engine.
#include <algorithm>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/announcement.hpp"
#include "wire/chat.hpp"
#include "wire/models.hpp"

namespace idlewatt::wire {
namespace {

using Json = nlohmann::ordered_json;

Json with(const char* patch) {
    Json body = Json::parse(R"({"model": "m", "messages": [{"role": "user", "content": "hi"}]})");
    body.update(Json::parse(patch));
    return body;
}

ApiRequest taken(const Json& body) {
    const auto request = parse_chat_request(body.dump());
    EXPECT_TRUE(request) << request.error().message;
    return request ? *request : ApiRequest{};
}

Json work_of(const ApiRequest& request, std::size_t choice = 0) {
    return Json::parse(request.works.at(choice));
}

const char* const tools = R"("tools": [
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
    {"type": "function", "function": {"name": "g", "strict": true, "description": "d"}}])";

TEST(ChatRequest, SaysWhatTheGatewayDecidesBy) {
    ApiRequest plain = taken(with("{}"));
    EXPECT_EQ(plain.task, core::Task::chat);
    EXPECT_EQ(plain.n, 1U);
    EXPECT_FALSE(plain.max_tokens || plain.seed || plain.data_class || plain.top_logprobs);
    EXPECT_FALSE(plain.wants_tools || plain.wants_schema || plain.has_images);
    EXPECT_EQ(plain.service_tier, "");

    const ApiRequest full = taken(with(R"({"max_tokens": 7, "seed": -3, "data_class": "own_fleet",
        "logprobs": true, "top_logprobs": 4, "service_tier": "flex", "stream": true,
        "stream_options": {"include_usage": true, "include_obfuscation": false},
        "response_format": {"type": "json_object"}, "logit_bias": {"5": -100},
        "reasoning_effort": "low", "verbosity": "low", "prediction": {}, "metadata": {"a": "b"},
        "safety_identifier": "s", "prompt_cache_key": "k"})"));
    EXPECT_EQ(full.max_tokens, 7U);
    EXPECT_EQ(full.seed, -3);
    EXPECT_EQ(full.data_class, core::DataClass::own_fleet);
    EXPECT_EQ(full.top_logprobs, 4U);
    EXPECT_EQ(full.service_tier, "flex");
    EXPECT_TRUE(full.stream && full.include_usage && full.wants_schema);
    EXPECT_EQ(taken(with(R"({"max_completion_tokens": 9, "max_tokens": 9})")).max_tokens, 9U);
    EXPECT_EQ(taken(with(R"({"logprobs": true})")).top_logprobs, 0U);
    EXPECT_TRUE(taken(with(R"({"grammar": "root ::= \"a\""})")).wants_schema);
    EXPECT_TRUE(
        taken(with(R"({"response_format": {"type": "json_object", "schema": {}}})")).wants_schema);
    EXPECT_TRUE(taken(with(R"({"response_format": {"type": "json_schema", "json_schema":
        {"name": "a-B_9", "schema": {}, "strict": true, "description": "d"}}})"))
                    .wants_schema);
}

TEST(ChatRequest, SeveralChoicesAreWorksWithSeedsOfTheirOwn) {
    const ApiRequest request = taken(with(R"({"n": 8, "seed": 9223372036854775807})"));
    ASSERT_EQ(request.works.size(), 8U);
    std::set<std::int64_t> seeds;
    for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_EQ(work_of(request, i)["n"], 1);
        seeds.insert(work_of(request, i)["seed"].get<std::int64_t>());
    }
    EXPECT_EQ(seeds.size(), 8U);
    EXPECT_FALSE(work_of(taken(with(R"({"n": 2})")), 1).contains("seed"));
    Json large = with(R"({"n": 8})");
    large["messages"][0]["content"] = std::string(5 * 1024 * 1024, 'x');
    const auto refused = parse_chat_request(large.dump());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ApiErrorCode::request_too_large);
}

// A schema's order is the order in which the answer is written.
TEST(ChatRequest, TheOrderOfMembersIsKept) {
    Json body = with(R"({"n": 2, "response_format": {"type": "json_schema", "json_schema": {
        "name": "x", "schema": {"type": "object", "properties": {"z": {}, "a": {}, "m": {}}}}}})");
    Json expected = body;
    expected["n"] = 1;
    EXPECT_EQ(taken(body).works.at(1), expected.dump());
}

TEST(ChatRequest, AChoiceOfToolsBecomesAShorterList) {
    const auto chosen = [](const std::string& choice) {
        const ApiRequest request =
            taken(with(("{" + std::string(tools) + ", \"tool_choice\": " + choice + "}").c_str()));
        const Json work = work_of(request);
        std::string names = work["tool_choice"].dump() + (request.wants_tools ? " wants" : "");
        for (const Json& tool : work["tools"])
            names += " " + tool["function"]["name"].get<std::string>();
        return names;
    };
    EXPECT_EQ(chosen(R"("auto")"), R"("auto" wants f g)");
    EXPECT_EQ(chosen(R"("required")"), R"("required" wants f g)");
    EXPECT_EQ(chosen(R"("none")"), R"("none" f g)");
    EXPECT_EQ(chosen(R"({"type": "function", "function": {"name": "g"}})"),
              R"("required" wants g)");
    EXPECT_EQ(chosen(R"({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools":
        [{"type": "function", "function": {"name": "g"}}]}})"),
              R"("auto" wants g)");
    EXPECT_EQ(chosen(R"({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools":
        [{"type": "function", "function": {"name": "g"}},
         {"type": "function", "function": {"name": "f"}}]}})"),
              R"("required" wants f g)");
}

TEST(ChatRequest, PartsAndEarlierCallsAreTaken) {
    const ApiRequest request = taken(with(R"({"messages": [
        {"role": "developer", "content": [{"type": "text", "text": "be"}]},
        {"role": "user", "content": [{"type": "text", "text": "what?"},
            {"type": "image_url",
             "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "r"}]})"));
    EXPECT_TRUE(request.has_images);
    const Json messages = work_of(request)["messages"];
    EXPECT_EQ(messages[0]["role"], "system");
    EXPECT_EQ(messages[2]["content"], Json::parse(R"([{"type": "text", "text": "no"}])"));
}

TEST(ChatRequest, RequestsThatBeginAlikeHaveOneAffinity) {
    const auto affinity = [](const char* patch) { return taken(with(patch)).affinity; };
    const auto first = affinity("{}");
    // The conversation goes on, with other settings.
    EXPECT_EQ(first, affinity(R"({"temperature": 1, "seed": 3, "stream": true, "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": "yes?"}, {"role": "user", "content": "more"}]})"));
    EXPECT_NE(first, affinity(R"({"model": "other"})"));
    EXPECT_NE(first, affinity(R"({"messages": [{"role": "user", "content": "ho"}]})"));
    const auto told = affinity(R"({"messages": [
        {"role": "system", "content": "be"}, {"role": "user", "content": "hi"}]})");
    EXPECT_NE(first, told);
    EXPECT_EQ(told, affinity(R"({"messages": [
        {"role": "developer", "content": "be"}, {"role": "user", "content": "hi"}]})"));
    // Gateways of several versions must agree.
    EXPECT_EQ(first, 5722763989140851791U);
}

TEST(ChatRequest, ManyMembersOfOneObjectAreRefused) {
    Json body = with("{}");
    for (int i = 0; i < 1021; ++i)
        body["m" + std::to_string(i)] = i;
    EXPECT_TRUE(parse_chat_request(body.dump()));
    body["one"] = body["more"] = 1;
    EXPECT_FALSE(parse_chat_request(body.dump()));

    // Each object is within its bound; all of them would take seconds to look up.
    Json object;
    for (int i = 0; i < 1000; ++i)
        object["m" + std::to_string(i)] = i;
    body = with("{}");
    body["extra"] = Json::array();
    for (int i = 0; i < 15; ++i)
        body["extra"].push_back(object);
    EXPECT_TRUE(parse_chat_request(body.dump()));
    for (int i = 0; i < 150; ++i)
        body["extra"].push_back(object);
    EXPECT_FALSE(parse_chat_request(body.dump()));
}

TEST(Models, SayWhatIsKnown) {
    const ModelRow row{
        "org/m:q4", base::WallTime{5'000'000}, 4096, true, true, 3, 12.34, "Q4_0", 1'000'000,
        600'000};
    const auto json = nlohmann::json::parse(model_body(row));
    EXPECT_EQ(json["id"], "org/m:q4");
    EXPECT_EQ(json["context_length"], 4096);
    EXPECT_EQ(json["capacity"], (nlohmann::json{{"vehicles_ready", 3}, {"tokens_per_s", 12.3}}));
    EXPECT_EQ(json["architecture"]["input_modalities"], (nlohmann::json{"text", "image"}));
    EXPECT_EQ(json["meta"], (nlohmann::json{{"n_params", 1'000'000}, {"size", 600'000}}));
    for (const char* name : {"temperature", "tools", "response_format", "stop", "seed"}) {
        const auto& list = json["supported_parameters"];
        EXPECT_NE(std::find(list.begin(), list.end(), name), list.end()) << name;
    }
    ModelRow rounded = row;
    rounded.tokens_per_second = 12.3;
    const ModelRow bare{"b", {}};
    const auto read = parse_models_body(models_body(std::vector{row, bare}));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, (std::vector{rounded, bare}));
    EXPECT_EQ(nlohmann::json::parse(model_deleted_body("a\"b")),
              (nlohmann::json{{"id", "a\"b"}, {"object", "model"}, {"deleted", true}}));
    for (const char* body : {"", "[]", "{}", R"({"data": [1]})", R"({"data": [{"id": 3}]})",
                             R"({"data": [{"id": "a", "capacity": []}]})"}) {
        EXPECT_FALSE(parse_models_body(body)) << body;
    }
}

TEST(Models, OfAPath) {
    EXPECT_EQ(model_of_path("org/m:q4"), "org/m:q4");
    EXPECT_EQ(model_of_path("org%2Fm%3aq4"), "org/m:q4");
    EXPECT_EQ(model_of_path("%C3%A9"), "é");
    for (const char* path : {"", "%", "%2", "%zz", "a%00b", "%0a", "%ff", "%C3"})
        EXPECT_FALSE(model_of_path(path)) << path;
    EXPECT_FALSE(model_of_path(std::string(core::model_name_bytes_max + 1, 'm')));
}

}  // namespace
}  // namespace idlewatt::wire
