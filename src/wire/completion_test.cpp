// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/completion.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "wire/api_samples.hpp"
#include "wire/embedding.hpp"

namespace idlewatt::wire {
namespace {

using nlohmann::json;

struct BadPrompt {
    const char* body;
    const char* param;
    const char* code;
};

TEST(Completions, OneWorkForEachPromptAndChoice) {
    const auto one = parse_completion_request(R"({"prompt": "Once", "model": "m", "top_k": 4})");
    ASSERT_TRUE(one) << one.error().message;
    EXPECT_EQ(one->task, core::Task::completion);
    EXPECT_EQ(one->model, "m");
    EXPECT_EQ(one->max_tokens, 16U);
    ASSERT_EQ(one->works.size(), 1U);
    EXPECT_EQ(json::parse(one->works[0]),
              (json{{"prompt", "Once"}, {"model", "m"}, {"top_k", 4}, {"max_tokens", 16}}));

    const auto more = parse_completion_request(R"({"prompt": ["a", "b"], "n": 2, "max_tokens": 3,
        "seed": 5, "echo": true, "best_of": 1, "suffix": "", "stream": true,
        "stream_options": {"include_usage": true}})");
    ASSERT_TRUE(more) << more.error().message;
    EXPECT_EQ(more->n, 2U);
    EXPECT_TRUE(more->stream && more->include_usage);
    EXPECT_EQ(more->echoes, (std::vector<std::string>{"a", "a", "b", "b"}));
    ASSERT_EQ(more->works.size(), 4U);
    for (std::size_t i = 0; i < 4; ++i) {
        const json work = json::parse(more->works[i]);
        EXPECT_EQ(work["prompt"], i < 2 ? "a" : "b");
        EXPECT_EQ(work["seed"], 5 + i % 2);
        EXPECT_EQ(work["n"], 1);
        EXPECT_EQ(work["max_tokens"], 3);
        EXPECT_FALSE(work.contains("echo") || work.contains("best_of"));
    }

    const auto ids = parse_completion_request(R"({"prompt": [1, 2, 3], "logprobs": 0})");
    ASSERT_TRUE(ids);
    EXPECT_EQ(json::parse(ids->works.at(0))["prompt"], json::parse("[1,2,3]"));
    EXPECT_EQ(ids->top_logprobs, 0U);
    const auto lists = parse_completion_request(R"({"prompt": [[1, 2], [3]]})");
    ASSERT_TRUE(lists);
    ASSERT_EQ(lists->works.size(), 2U);
    EXPECT_EQ(json::parse(lists->works[1])["prompt"], json::parse("[3]"));
}

TEST(Completions, WhatCannotBeServedIsRefusedByName) {
    const BadPrompt cases[] = {
        {R"({})", "prompt", "invalid_value"},
        {R"({"prompt": []})", "prompt", "invalid_value"},
        {R"({"prompt": 4})", "prompt", "invalid_value"},
        {R"({"prompt": [-1]})", "prompt[0]", "invalid_value"},
        {R"({"prompt": ["a", 1]})", "prompt[1]", "invalid_value"},
        {R"({"prompt": ["a", [1]]})", "prompt[1]", "invalid_value"},
        {R"({"prompt": [[]]})", "prompt[0]", "invalid_value"},
        {R"({"prompt": [[99999999999]]})", "prompt[0]", "invalid_value"},
        {R"({"prompt": "a", "n": 9})", "n", "unsupported_parameter"},
        {R"({"prompt": "a", "best_of": 2})", "best_of", "unsupported_parameter"},
        {R"({"prompt": "a", "best_of": 21})", "best_of", "invalid_value"},
        {R"({"prompt": "a", "suffix": "z"})", "suffix", "unsupported_parameter"},
        {R"({"prompt": "a", "logprobs": 6})", "logprobs", "invalid_value"},
        {R"({"prompt": "a", "logprobs": true})", "logprobs", "invalid_value"},
        {R"({"prompt": "a", "echo": 1})", "echo", "invalid_value"},
        {R"({"prompt": "a", "echo": true, "logprobs": 1})", "echo", "unsupported_parameter"},
        {R"({"prompt": [1], "echo": true})", "echo", "unsupported_parameter"},
        {R"({"prompt": "a", "max_tokens": 0})", "max_tokens", "invalid_value"},
        {R"({"prompt": "a", "temperature": 3})", "temperature", "invalid_value"},
        {R"({"prompt": "a", "stream_options": {}})", "stream_options", "invalid_value"},
    };
    for (const BadPrompt& bad : cases) {
        const auto request = parse_completion_request(bad.body);
        ASSERT_FALSE(request) << bad.body;
        EXPECT_EQ(request.error().param, bad.param) << request.error().message;
        EXPECT_EQ(info(request.error().code).name, bad.code) << bad.body;
    }
}

TEST(Completions, WorksAreBounded) {
    json body{{"prompt", json::array()}, {"n", 8}};
    for (std::size_t i = 0; i < works_max / 8; ++i)
        body["prompt"].push_back("p");
    EXPECT_TRUE(parse_completion_request(body.dump()));
    body["prompt"].push_back("p");
    EXPECT_FALSE(parse_completion_request(body.dump()));
    body["n"] = 1;
    body["prompt"] = json::array({"a", "b", "c", "d", "e"});
    body["user"] = std::string(8 * 1024 * 1024, 'u');  // would be copied into each work
    const auto large = parse_completion_request(body.dump());
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().http_status(), 413);
}

TEST(Embeddings, EveryFormOfInputBecomesOneList) {
    const auto input = [](const char* given) {
        const auto request = parse_embedding_request(R"({"model": "m", "encoding_format": "base64",
            "dimensions": 8, "input": )" + std::string(given) +
                                                     "}");
        EXPECT_TRUE(request) << request.error().message;
        EXPECT_EQ(request->task, core::Task::embedding);
        EXPECT_TRUE(request->base64);
        EXPECT_EQ(request->dimensions, 8U);
        EXPECT_EQ(request->works.size(), 1U);
        json work = json::parse(request->works[0]);
        EXPECT_EQ(work["input"].size(), request->inputs);
        EXPECT_EQ(work.size(), 2U);
        return work["input"].dump();
    };
    EXPECT_EQ(input(R"("a")"), R"(["a"])");
    EXPECT_EQ(input(R"(["a", "b"])"), R"(["a","b"])");
    EXPECT_EQ(input("[1, 2]"), "[[1,2]]");
    EXPECT_EQ(input("[[1, 2], [3]]"), "[[1,2],[3]]");
    EXPECT_FALSE(parse_embedding_request(R"({"input": "a"})")->base64);
}

TEST(Embeddings, WhatCannotBeServedIsRefusedByName) {
    const BadPrompt cases[] = {
        {R"({})", "input", "invalid_value"},
        {R"({"input": []})", "input", "invalid_value"},
        {R"({"input": ""})", "input", "invalid_value"},
        {R"({"input": ["a", ""]})", "input", "invalid_value"},
        {R"({"input": {"a": 1}})", "input", "invalid_value"},
        {R"({"input": [1, "a"]})", "input[0]", "invalid_value"},
        {R"({"input": "a", "encoding_format": "hex"})", "encoding_format", "invalid_value"},
        {R"({"input": "a", "dimensions": 0})", "dimensions", "invalid_value"},
        {R"({"input": "a", "data_class": "x"})", "data_class", "invalid_value"},
    };
    for (const BadPrompt& bad : cases) {
        const auto request = parse_embedding_request(bad.body);
        ASSERT_FALSE(request) << bad.body;
        EXPECT_EQ(request.error().param, bad.param) << request.error().message;
        EXPECT_EQ(info(request.error().code).name, bad.code) << bad.body;
    }
    json body{{"input", json::array()}};
    for (std::uint32_t i = 0; i < core::embedding_inputs_max; ++i)
        body["input"].push_back("x");
    EXPECT_TRUE(parse_embedding_request(body.dump()));
    body["input"].push_back("x");
    EXPECT_FALSE(parse_embedding_request(body.dump()));
}

TEST(Embeddings, VectorsAreTheSameInBothForms) {
    // 1.0, -0.5, NaN as little-endian float32.
    const std::string vector("\x00\x00\x80\x3f\x00\x00\x00\xbf\x00\x00\xc0\x7f", 12);
    const std::vector<std::string> vectors{vector, vector.substr(0, 4)};
    const json floats = json::parse(embedding_answer("m", vectors, false, 7));
    EXPECT_EQ(floats, json::parse(R"({"object":"list","model":"m","data":[
        {"object":"embedding","index":0,"embedding":[1.0,-0.5,0.0]},
        {"object":"embedding","index":1,"embedding":[1.0]}],
        "usage":{"prompt_tokens":7,"total_tokens":7}})"));
    const json base64 = json::parse(embedding_answer("m", vectors, true, 7));
    EXPECT_EQ(base64["data"][0]["embedding"], "AACAPwAAAL8AAMB/");
    EXPECT_EQ(base64["data"][1]["embedding"], "AACAPw==");

    ApiRequest request;
    EXPECT_FALSE(check_dimensions(request, vector));
    request.dimensions = 3;
    EXPECT_FALSE(check_dimensions(request, vector));
    request.dimensions = 2;
    const auto refused = check_dimensions(request, vector);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->param, "dimensions");
    EXPECT_EQ(refused->http_status(), 400);
}

TEST(Completions, MutatedOnesNeverCrash) {
    ApiSamples make(60);
    const std::string completion = R"({"model": "m", "prompt": ["a", "b"], "n": 2, "seed": 5,
        "echo": true, "stop": ["x"], "logit_bias": {"5": 1}, "logprobs": null})";
    const std::string embedding = R"({"input": [[1, 2], [3]], "encoding_format": "base64"})";
    int taken = 0;
    for (int i = 0; i < 10'000; ++i) {
        const std::string first = make.mutate_json(completion);
        const std::string second = make.mutate_json(embedding);
        for (const auto& request :
             {parse_completion_request(first), parse_embedding_request(second)}) {
            if (!request) {
                ASSERT_TRUE(json::accept(error_body(request.error())));
                continue;
            }
            ++taken;
            for (const std::string& work : request->works)
                ASSERT_TRUE(json::accept(work));
        }
    }
    EXPECT_GT(taken, 200);
}

}  // namespace
}  // namespace idlewatt::wire
