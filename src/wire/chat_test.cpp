// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/chat.hpp"

#include <algorithm>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/prng.hpp"
#include "wire/answer.hpp"
#include "wire/chat_text.hpp"
#include "wire/models.hpp"

namespace idlewatt::wire {
namespace {

using nlohmann::json;

const AnswerHead head{core::WorkId{"w1"}, "a \"model\"", base::WallTime{1'790'000'000'999'999}};

std::string role_event(const AnswerHead& with) {
    std::string out;
    StreamedChoice choice;
    append_begin(out, with, choice);
    return out;
}

std::string text_event(const AnswerHead& with, std::string_view text) {
    std::string out;
    StreamedChoice choice;
    append_piece(out, with, choice, {{}, std::string(text), 1});
    return out;
}

std::string finish_event(const AnswerHead& with, core::FinishReason reason) {
    std::string out;
    append_finish(out, with, {}, reason);
    return out;
}

std::string usage_event(AnswerHead with, const Usage& usage) {
    with.include_usage = true;
    std::string out;
    append_usage(out, with, usage);
    return out;
}

std::string chat_answer(const AnswerHead& with, std::string_view text, core::FinishReason reason,
                        const Usage& usage) {
    WholeChoice choice;
    choice.text = text;
    choice.reason = reason;
    return whole_answer(with, {&choice, 1}, usage);
}

json good_request() {
    return {{"model", "m"}, {"messages", {{{"role", "user"}, {"content", "hi"}}}}};
}

// The JSON of one event, after its framing was checked.
json event_json(const std::string& event) {
    EXPECT_TRUE(event.starts_with("data: "));
    EXPECT_TRUE(event.ends_with("\n\n"));
    // One line: a line break inside would end the event for the client.
    EXPECT_EQ(std::count(event.begin(), event.end(), '\n'), 2);
    EXPECT_EQ(std::count(event.begin(), event.end(), '\r'), 0);
    return json::parse(event.substr(6));
}

std::string random_bytes(base::Prng& prng, std::size_t length, std::uint64_t range) {
    std::string bytes;
    for (std::size_t i = 0; i < length; ++i) {
        bytes += static_cast<char>(prng.below(range));
    }
    return bytes;
}

std::string encode_utf8(std::uint32_t code) {
    std::string out;
    if (code < 0x80) {
        return {static_cast<char>(code)};
    }
    if (code < 0x800) {
        out += static_cast<char>(0xC0 | (code >> 6));
    } else {
        if (code < 0x10000) {
            out += static_cast<char>(0xE0 | (code >> 12));
        } else {
            out += static_cast<char>(0xF0 | (code >> 18));
            out += static_cast<char>(0x80 | ((code >> 12) & 63));
        }
        out += static_cast<char>(0x80 | ((code >> 6) & 63));
    }
    out += static_cast<char>(0x80 | (code & 63));
    return out;
}

// ── text ────────────────────────────────────────────────────────────────────────────────────────

TEST(ChatText, EveryCharacterComesBackUnchanged) {
    std::string all;
    for (std::uint32_t code = 0; code < 0x110000; ++code) {
        if (code < 0xD800 || code > 0xDFFF) {
            all += encode_utf8(code);
        }
    }
    EXPECT_EQ(first_bad_utf8(all), std::nullopt);
    std::string out;
    append_json_string(out, all);
    EXPECT_TRUE(json::parse(out) == all);
}

TEST(ChatText, RandomBytesAreAlwaysJsonAndGoodTextIsKept) {
    base::Prng prng(1);
    for (int i = 0; i < 20'000; ++i) {
        const std::string bytes = random_bytes(prng, prng.below(40), prng.chance(0.3) ? 128 : 256);
        std::string out;
        append_json_string(out, bytes);
        const auto back = json::parse(out).get<std::string>();
        // nlohmann's own replacement is the second opinion.
        const std::string second =
            json::parse(json(bytes).dump(-1, ' ', false, json::error_handler_t::replace));
        ASSERT_EQ(back, second);
        const auto bad = first_bad_utf8(bytes);
        ASSERT_EQ(!bad, back == bytes);
        if (bad) {
            ASSERT_EQ(back.substr(0, *bad), bytes.substr(0, *bad));
        }
    }
}

TEST(ChatText, BrokenSequencesAreReplaced) {
    const auto escaped = [](std::string_view text) {
        std::string out;
        append_json_string(out, text);
        return out;
    };
    EXPECT_EQ(escaped("a\xED\xA0\x80z"),
              "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\"");  // surrogate
    EXPECT_EQ(escaped("\xF0\x9F\x98"), "\"\xEF\xBF\xBD\"");
    EXPECT_EQ(escaped("\xC0\xAF"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");  // overlong
    EXPECT_EQ(escaped(std::string_view("\0\x1f\x7f\"\\", 5)), "\"\\u0000\\u001f\x7f\\\"\\\\\"");
}

// ── events and bodies ───────────────────────────────────────────────────────────────────────────

TEST(ChatEvents, AreChunksAsDocumented) {
    for (const bool include_usage : {false, true}) {
        AnswerHead with = head;
        with.include_usage = include_usage;
        json expected{{"id", "chatcmpl-w1"},
                      {"object", "chat.completion.chunk"},
                      {"created", 1'790'000'000},
                      {"model", "a \"model\""},
                      {"system_fingerprint", nullptr}};
        if (include_usage) {
            expected["usage"] = nullptr;
        }
        const auto choices = [](const json& delta, const json& finish) {
            return json::array({{{"index", 0}, {"delta", delta}, {"finish_reason", finish}}});
        };
        expected["choices"] = choices({{"role", "assistant"}, {"content", ""}}, nullptr);
        EXPECT_EQ(event_json(role_event(with)), expected);
        expected["choices"] = choices({{"content", "a\nb\r\n\n\"é"}}, nullptr);
        EXPECT_EQ(event_json(text_event(with, "a\nb\r\n\n\"é")), expected);
        expected["choices"] = choices(json::object(), "stop");
        EXPECT_EQ(event_json(finish_event(with, core::FinishReason::stop)), expected);
        expected["choices"] = choices(json::object(), "length");
        EXPECT_EQ(event_json(finish_event(with, core::FinishReason::length)), expected);
    }
}

TEST(ChatEvents, UsageHasNoChoices) {
    const json event = event_json(usage_event(head, {4'000'000'000U, 4'000'000'000U, 3}));
    EXPECT_EQ(event["choices"], json::array());
    EXPECT_EQ(event["usage"]["total_tokens"], 8'000'000'000ULL);
    EXPECT_EQ(event["usage"]["prompt_tokens_details"]["cached_tokens"], 3);
    EXPECT_EQ(event["usage"]["completion_tokens_details"]["reasoning_tokens"], 0);
}

TEST(ChatEvents, ErrorDoneAndComment) {
    EXPECT_EQ(event_json(error_event(api_error(ApiErrorCode::worker_preempted, "no \"car\"\n"))),
              (json{{"error",
                     {{"message", "no \"car\"\n"},
                      {"type", "server_error"},
                      {"param", nullptr},
                      {"code", "worker_preempted"}}}}));
    EXPECT_EQ(event_json(error_event(api_error(ApiErrorCode::no_capacity, "")))["error"]["type"],
              "service_unavailable_error");
    EXPECT_EQ(done_event(), "data: [DONE]\n\n");
    EXPECT_EQ(comment_event("keep\r\n\nalive"), ": keep   alive\n\n");
}

TEST(ChatEvents, RandomTextNeverBreaksTheFraming) {
    base::Prng prng(2);
    for (int i = 0; i < 5'000; ++i) {
        const std::string bytes = random_bytes(prng, 1 + prng.below(59), 256);
        AnswerHead strange = head;
        strange.model = random_bytes(prng, prng.below(20), 256);
        const json text = event_json(text_event(strange, bytes));
        ASSERT_EQ(first_bad_utf8(bytes) == std::nullopt,
                  text["choices"][0]["delta"]["content"] == bytes);
        event_json(error_event(api_error(ApiErrorCode::invalid_value, bytes, bytes)));
        const std::vector<ModelRow> rows(2, ModelRow{bytes, {}});
        ASSERT_TRUE(json::accept(models_body(rows)));
        const std::string comment = comment_event(bytes);
        ASSERT_EQ(std::count(comment.begin(), comment.end(), '\n'), 2);
    }
}

TEST(ChatBodies, AreAsDocumented) {
    const json answer =
        json::parse(chat_answer(head, "text", core::FinishReason::length, {5, 7, 2}));
    EXPECT_EQ(answer["object"], "chat.completion");
    EXPECT_EQ(answer["id"], "chatcmpl-w1");
    EXPECT_EQ(answer["choices"],
              json::array(
                  {{{"index", 0},
                    {"message", {{"role", "assistant"}, {"content", "text"}, {"refusal", nullptr}}},
                    {"logprobs", nullptr},
                    {"finish_reason", "length"}}}));
    EXPECT_EQ(answer["usage"]["total_tokens"], 12);
    EXPECT_EQ(json::parse(error_body(api_error(ApiErrorCode::bad_json, "m"))),
              (json{{"error",
                     {{"message", "m"},
                      {"type", "invalid_request_error"},
                      {"param", nullptr},
                      {"code", nullptr}}}}));
    EXPECT_EQ(json::parse(models_body({}))["data"], json::array());
    const std::vector<ModelRow> rows{{"a", {}}, {"b", base::WallTime{3'000'000}}};
    const json models = json::parse(models_body(rows));
    EXPECT_EQ(models["object"], "list");
    const json expected{{"id", "b"}, {"object", "model"}, {"created", 3}, {"owned_by", "idlewatt"}};
    for (const auto& [name, value] : expected.items())
        EXPECT_EQ(models["data"][1][name], value);
}

// ── requests ────────────────────────────────────────────────────────────────────────────────────

TEST(ChatRequests, TheUsualOnesAreTaken) {
    json body = good_request();
    auto request = parse_chat_request(body.dump());
    ASSERT_TRUE(request) << request.error().message;
    EXPECT_EQ(request->model, "m");
    EXPECT_FALSE(request->stream);
    EXPECT_EQ(request->works, std::vector{body.dump()});

    body = json::parse(R"({
        "messages": [{"role": "system", "content": [{"type": "text", "text": "be"}]},
                     {"role": "user", "content": "", "name": "x"},
                     {"role": "assistant", "content": null, "tool_calls": []},
                     {"role": "tool", "tool_call_id": "1", "content": "r"}],
        "model": null, "stream": true, "stream_options": {"include_usage": true},
        "max_tokens": 5, "max_completion_tokens": 5, "temperature": 2, "top_p": 0.5, "seed": -1,
        "stop": ["a", "b"], "n": 1, "tools": [], "tool_choice": "none", "logprobs": false,
        "top_logprobs": 0, "response_format": {"type": "text"}, "modalities": ["text"],
        "logit_bias": {}, "store": false, "presence_penalty": null,
        "user": "u", "metadata": {"a": "b"}, "ignore_eos": true, "top_k": 4, "min_p": 0.1,
        "something_new": {"deep": [1, 2]}})");
    request = parse_chat_request(body.dump());
    ASSERT_TRUE(request) << request.error().message;
    EXPECT_EQ(request->model, "");
    EXPECT_TRUE(request->stream);
    EXPECT_TRUE(request->include_usage);
    EXPECT_EQ(request->works, std::vector{body.dump()});
}

TEST(ChatRequests, DeveloperIsSystemForTheEngine) {
    json body = good_request();
    body["messages"][0]["role"] = "developer";
    body["seed"] = 9'007'199'254'740'993;
    const auto request = parse_chat_request(body.dump());
    ASSERT_TRUE(request);
    body["messages"][0]["role"] = "system";
    ASSERT_EQ(request->works.size(), 1U);
    EXPECT_EQ(json::parse(request->works[0]), body);
}

struct BadChat {
    const char* patch;  // merged over the good request
    const char* parameter;
    const char* code;
};

const BadChat bad_requests[] = {
    {R"({"messages": null})", "messages", "invalid_value"},
    {R"({"messages": []})", "messages", "invalid_value"},
    {R"({"messages": "hi"})", "messages", "invalid_value"},
    {R"({"messages": ["hi"]})", "messages[0]", "invalid_value"},
    {R"({"messages": [{"content": "x"}]})", "messages[0].role", "invalid_value"},
    {R"({"messages": [{"role": "king", "content": "x"}]})", "messages[0].role", "invalid_value"},
    {R"({"messages": [{"role": "user"}]})", "messages[0].content", "invalid_value"},
    {R"({"messages": [{"role": "user", "content": 4}]})", "messages[0].content", "invalid_value"},
    {R"({"messages": [{"role": "user", "content": []}]})", "messages[0].content", "invalid_value"},
    {R"({"messages": [{"role": "user", "content": [{"type": "text"}]}]})",
     "messages[0].content[0].text", "invalid_value"},
    {R"({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]})",
     "messages[0].content[0].image_url.url", "invalid_value"},
    {R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})",
     "messages[0].content[0].image_url", "invalid_value"},
    {R"({"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "http://10.0.0.1/cat.png"}}]}]})",
     "messages[0].content[0].image_url.url", "unsupported_parameter"},
    {R"({"messages": [{"role": "system", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}]})",
     "messages[0].content[0].type", "unsupported_parameter"},
    {R"({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]})",
     "messages[0].content[0].type", "unsupported_parameter"},
    {R"({"model": 3})", "model", "invalid_value"},
    {R"({"stream": "yes"})", "stream", "invalid_value"},
    {R"({"stream_options": {}})", "stream_options", "invalid_value"},
    {R"({"stream": true, "stream_options": 1})", "stream_options", "invalid_value"},
    {R"({"stream": true, "stream_options": {"include_usage": 1}})", "stream_options.include_usage",
     "invalid_value"},
    {R"({"max_tokens": 0})", "max_tokens", "invalid_value"},
    {R"({"max_tokens": -1})", "max_tokens", "invalid_value"},
    {R"({"max_tokens": 1.5})", "max_tokens", "invalid_value"},
    {R"({"max_tokens": 99999999999})", "max_tokens", "invalid_value"},
    {R"({"max_completion_tokens": "7"})", "max_completion_tokens", "invalid_value"},
    {R"({"max_tokens": 5, "max_completion_tokens": 6})", "max_tokens", "invalid_value"},
    {R"({"temperature": "hot"})", "temperature", "invalid_value"},
    {R"({"temperature": 2.1})", "temperature", "invalid_value"},
    {R"({"top_p": -0.1})", "top_p", "invalid_value"},
    {R"({"presence_penalty": 3})", "presence_penalty", "invalid_value"},
    {R"({"frequency_penalty": true})", "frequency_penalty", "invalid_value"},
    {R"({"seed": 0.5})", "seed", "invalid_value"},
    {R"({"stop": ["1", "2", "3", "4", "5"]})", "stop", "invalid_value"},
    {R"({"stop": [1]})", "stop", "invalid_value"},
    {R"({"n": 9})", "n", "unsupported_parameter"},
    {R"({"n": 1.5})", "n", "invalid_value"},
    {R"({"n": 18446744073709551615})", "n", "invalid_value"},
    {R"({"seed": 18446744073709551615})", "seed", "invalid_value"},
    {R"({"stop": []})", "stop", "invalid_value"},
    {R"({"stop": ""})", "stop", "invalid_value"},
    {R"({"stop": ["x", ""]})", "stop", "invalid_value"},
    {R"({"top_k": "a"})", "top_k", "invalid_value"},
    {R"({"top_k": 0.5})", "top_k", "invalid_value"},
    {R"({"min_p": true})", "min_p", "invalid_value"},
    {R"({"ignore_eos": 1})", "ignore_eos", "invalid_value"},
    {R"({"service_tier": "gold"})", "service_tier", "invalid_value"},
    {R"({"data_class": "secret"})", "data_class", "invalid_value"},
    {R"({"data_class": 1})", "data_class", "invalid_value"},
    {R"({"model": "a\nb"})", "model", "invalid_value"},
    {R"({"reasoning_effort": "huge"})", "reasoning_effort", "invalid_value"},
    {R"({"n": 0})", "n", "invalid_value"},
    {R"({"tools": "f"})", "tools", "invalid_value"},
    {R"({"tools": [1]})", "tools[0]", "invalid_value"},
    {R"({"tools": [{"function": {"name": "f"}}]})", "tools[0].type", "invalid_value"},
    {R"({"tools": [{"type": "function"}]})", "tools[0].function", "invalid_value"},
    {R"({"tools": [{"type": "custom", "custom": {"name": "f"}}]})", "tools[0].type",
     "unsupported_parameter"},
    {R"({"tools": [{"type": "function", "function": {"name": "a b"}}]})", "tools[0].function.name",
     "invalid_value"},
    {R"({"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]})",
     "tools[0].function.parameters", "invalid_value"},
    {R"({"tools": [{"type": "function", "function": {"name": "f",
         "parameters": {"type": "string"}}}]})",
     "tools[0].function.parameters", "invalid_value"},
    {R"({"tools": [{"type": "function", "function": {"name": "f"}},
         {"type": "function", "function": {"name": "g", "parameters": {"type": ["array"]}}}]})",
     "tools[1].function.parameters", "invalid_value"},
    {R"({"tools": [{"type": "function", "function": {"name": "f", "strict": 1}}]})",
     "tools[0].function.strict", "invalid_value"},
    {R"({"tool_choice": "required"})", "tool_choice", "invalid_value"},
    {R"({"tool_choice": "any"})", "tool_choice", "invalid_value"},
    {R"({"tool_choice": {"type": "function", "function": {"name": "f"}}})", "tool_choice",
     "invalid_value"},
    {R"({"tool_choice": {"type": "function", "function": {"name": "g"}},
         "tools": [{"type": "function", "function": {"name": "f"}}]})",
     "tool_choice", "invalid_value"},
    {R"({"tool_choice": {"type": "custom", "custom": {"name": "f"}}})", "tool_choice",
     "unsupported_parameter"},
    {R"({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}},
         "tools": [{"type": "function", "function": {"name": "f"}}]})",
     "tool_choice.allowed_tools", "invalid_value"},
    {R"({"parallel_tool_calls": 1})", "parallel_tool_calls", "invalid_value"},
    {R"({"messages": [{"role": "tool", "content": "r"}]})", "messages[0].tool_call_id",
     "invalid_value"},
    {R"({"messages": [{"role": "assistant", "tool_calls": {}}]})", "messages[0].tool_calls",
     "invalid_value"},
    {R"({"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "custom"}]}]})",
     "messages[0].tool_calls[0].type", "unsupported_parameter"},
    {R"({"messages": [{"role": "assistant", "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": {}}}]}]})",
     "messages[0].tool_calls[0].function", "invalid_value"},
    {R"({"functions": [{}]})", "functions", "unsupported_parameter"},
    {R"({"function_call": {"name": "f"}})", "function_call", "unsupported_parameter"},
    {R"({"response_format": {"type": "yaml"}})", "response_format", "invalid_value"},
    {R"({"response_format": "json"})", "response_format", "invalid_value"},
    {R"({"response_format": {"type": "json_schema"}})", "response_format", "invalid_value"},
    {R"({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}})",
     "response_format", "invalid_value"},
    {R"({"response_format": {"type": "json_schema",
         "json_schema": {"name": "a.b", "schema": {}}}})",
     "response_format", "invalid_value"},
    {R"({"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}})",
     "response_format", "invalid_value"},
    {R"({"response_format": {"type": "json_object", "schema": 3}})", "response_format",
     "invalid_value"},
    {R"({"logprobs": 1})", "logprobs", "invalid_value"},
    {R"({"top_logprobs": 3})", "top_logprobs", "invalid_value"},
    {R"({"logprobs": true, "top_logprobs": 21})", "top_logprobs", "invalid_value"},
    {R"({"logprobs": true, "tools": [{"type": "function", "function": {"name": "f"}}]})",
     "logprobs", "unsupported_parameter"},
    {R"({"logit_bias": {"x": 1}})", "logit_bias", "invalid_value"},
    {R"({"logit_bias": {"5": 101}})", "logit_bias", "invalid_value"},
    {R"({"logit_bias": [[5, 1]]})", "logit_bias", "invalid_value"},
    {R"({"modalities": ["text", "audio"]})", "modalities", "unsupported_parameter"},
    {R"({"audio": {"voice": "x"}})", "audio", "unsupported_parameter"},
    {R"({"store": true})", "store", "unsupported_parameter"},
};

TEST(ChatRequests, WhatCannotBeServedIsRefusedByName) {
    for (const BadChat& bad : bad_requests) {
        json body = good_request();
        body.update(json::parse(bad.patch));
        const auto request = parse_chat_request(body.dump());
        ASSERT_FALSE(request) << bad.patch;
        EXPECT_EQ(request.error().param, bad.parameter) << bad.patch;
        EXPECT_EQ(info(request.error().code).name, bad.code) << bad.patch;
        EXPECT_EQ(request.error().http_status(), 400);
        EXPECT_NE(request.error().message.find("'" + std::string(bad.parameter) + "'"),
                  std::string::npos)
            << request.error().message;
        const json answer = json::parse(error_body(request.error()))["error"];
        EXPECT_EQ(answer["param"], bad.parameter);
        EXPECT_EQ(answer["code"], bad.code);
        EXPECT_EQ(answer["type"], "invalid_request_error");
    }
}

TEST(ChatRequests, ARefusalSaysWhatIsAllowedAndWhatWasFound) {
    const auto told = [](const std::string& patch) {
        json body = good_request();
        body.update(json::parse(patch));
        const auto request = parse_chat_request(body.dump());
        EXPECT_FALSE(request) << patch;
        return request ? std::string() : request.error().message;
    };
    EXPECT_EQ(
        told(R"({"stop": ["1", "2", "3", "4", "5"]})"),
        "'stop' must be a string or an array of at most 4 strings, none of them empty, not an "
        "array of 5.");
    EXPECT_EQ(told(R"({"stop": [""]})"),
              "'stop' must be a string or an array of at most 4 strings, none of them empty.");
    EXPECT_EQ(
        told(R"({"messages": [{"role": "alien", "content": "x"}]})"),
        "'messages[0].role' must be system, developer, user, assistant or tool, not 'alien'.");
    // A text may be a prompt in the wrong place.
    EXPECT_EQ(told(R"({"top_k": "secret"})"),
              "'top_k' must be a whole number of 32 bits, not a string.");
    EXPECT_EQ(told(R"({"service_tier": ")" + std::string(40, 'x') + "\"}").find("xx"),
              std::string::npos);
}

TEST(ChatRequests, WhatIsNoJsonObjectIsRefused) {
    const std::string good = good_request().dump();
    const std::string cases[] = {
        "",
        " ",
        "null",
        "[]",
        "\"x\"",
        good.substr(0, good.size() - 1),
        good + "x",
        R"({"messages": [{"role": "user", "content": ")"
        "\xFF"
        R"("}]})",
        R"({"messages": [{"role": "user", "content": "\ud800"}]})",
        R"({"messages": [{"role": "user", "content": "x"}], "temperature": 1e999})",
        R"({"messages": [{"role": "user", "content": "x"}], "messages": []})",
        R"({"model": "a", "messages": [{"role": "user", "content": "x"}], "mod\u0065l": "b"})",
    };
    for (const std::string& body : cases) {
        const auto request = parse_chat_request(body);
        ASSERT_FALSE(request) << body;
        EXPECT_EQ(request.error().kind, base::ErrorKind::bad_input);
        EXPECT_TRUE(json::accept(error_body(request.error())));
    }
}

TEST(ChatRequests, DepthAndSizeAreBounded) {
    const auto with = [](const std::string& value) {
        return R"({"messages": [{"role": "user", "content": "x"}], "extra": )" + value + "}";
    };
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_TRUE(parse_chat_request(with(nested(request_depth_max - 1))));
    EXPECT_FALSE(parse_chat_request(with(nested(request_depth_max))));
    EXPECT_FALSE(parse_chat_request(std::string(1'000'000, '[')));
    EXPECT_TRUE(parse_chat_request(with("\"" + std::string(100'000, '[') + "\\\"[\"")));
    std::string many = "[0";
    for (std::size_t i = 0; i < request_values_max; ++i) {
        many += ",0";
    }
    EXPECT_FALSE(parse_chat_request(with(many + "]")));
    EXPECT_TRUE(parse_chat_request(with("\"" + many + "\"")));
    const auto large = parse_chat_request(std::string(core::request_bytes_max + 1, ' '));
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().kind, base::ErrorKind::limit_exceeded);
}

TEST(ChatRequests, MutatedOnesNeverCrash) {
    base::Prng prng(3);
    json body = good_request();
    body.update(json::parse(R"({"stream": true, "stream_options": {"include_usage": true},
        "stop": ["a"], "max_tokens": 4, "tools": [], "response_format": {"type": "text"},
        "messages": [{"role": "developer", "content": [{"type": "text", "text": "a\u00e9"}]}]})"));
    const std::string good = body.dump();
    int taken = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string text = good;
        for (std::uint64_t n = 1 + prng.below(4); n-- > 0;) {
            const std::size_t at = prng.below(text.size());
            switch (prng.below(3)) {
                case 0:
                    text[at] = static_cast<char>(prng.below(256));
                    break;
                case 1:
                    text.erase(at, 1 + prng.below(6));
                    break;
                default:
                    text.insert(at, good, prng.below(good.size()), prng.below(12));
            }
            if (text.empty()) {
                text = "{";
            }
        }
        const auto request = parse_chat_request(text);
        if (request) {
            ++taken;
            ASSERT_EQ(request->works.size(), request->n);
            for (const std::string& work : request->works)
                ASSERT_TRUE(json::accept(work));
        } else {
            ASSERT_FALSE(request.error().message.empty());
            ASSERT_TRUE(json::accept(error_body(request.error())));
        }
    }
    EXPECT_GT(taken, 100);
}

}  // namespace
}  // namespace idlewatt::wire
