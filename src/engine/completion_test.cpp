// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/completion.hpp"

#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "engine/completion_reader.hpp"
#include "engine/engine_json.hpp"
#include "engine/http_response.hpp"

namespace idlewatt::engine {
namespace {

Json body_of(const std::string& request, const core::ResumePoint& resume = {}) {
    const auto read = read_request(request);
    EXPECT_TRUE(read) << (read ? "" : read.error().message);
    return Json::parse(completion_body(*read, std::string("templated"), resume));
}

TEST(Completion, TranslatesOpenAiNames) {
    const Json body =
        body_of(R"({"model":"m","messages":[],"max_completion_tokens":7,"max_tokens":9,
        "stop":"end","logit_bias":{"12":-100},"temperature":0.5,"top_k":3,"ignore_eos":true,
        "stream":false,"stream_options":{"include_usage":true},"n_probs":5,"id_slot":1,"lora":[],
        "user":"u","frequency_penalty":0.25,"seed":null})");
    EXPECT_EQ(body["n_predict"], 7);
    EXPECT_EQ(body["stop"], Json::array({"end"}));
    EXPECT_EQ(body["logit_bias"], Json::parse("[[12,-100]]"));
    EXPECT_EQ(body["temperature"], 0.5);
    EXPECT_EQ(body["top_k"], 3);
    EXPECT_EQ(body["ignore_eos"], true);
    EXPECT_EQ(body["frequency_penalty"], 0.25);
    EXPECT_EQ(body["stream"], true);
    for (const char* name : {"n_probs", "id_slot", "lora", "user", "model", "seed", "messages",
                             "max_tokens", "stream_options"}) {
        EXPECT_FALSE(body.contains(name)) << name;
    }
}

TEST(Completion, AResumedPromptIsOneFlatList) {
    core::ResumePoint resume;
    resume.append({1, 2}, "ab", 2);
    resume.append({}, "text", 3);
    resume.append({4}, "c", 1);
    const Json body = body_of(R"({"messages":[],"max_tokens":10})", resume);
    EXPECT_EQ(body["prompt"], Json::parse(R"(["templated",1,2,"text",4])"));
    EXPECT_EQ(body["n_predict"], 4);
}

TEST(Completion, SaysWhatIsWrongWithARequest) {
    for (const char* request :
         {"", "1", "{}", R"({"messages":[],"max_tokens":1.5})", R"({"messages":[],"stop":3})",
          R"({"messages":[],"logit_bias":{"x":1}})", R"({"messages":[],"grammar":3})",
          R"({"messages":[],"response_format":{"type":"xml"}})",
          R"({"messages":[],"response_format":"json"})", R"({"messages":[],"json_schema":[1]})",
          R"({"messages":[],"json_schema":{},"grammar":"root ::= \"x\""})",
          R"({"messages":[],"tools":{}})", R"({"messages":[],"tools":[],"tool_choice":{"x":1}})",
          R"({"messages":[],"tools":[],"tool_choice":{"type":"function","function":{"name":"f"}}})",
          R"({"messages":[],"logprobs":3})",
          R"({"messages":[],"logprobs":true,"top_logprobs":21})"}) {
        const auto read = read_request(request);
        ASSERT_FALSE(read) << request;
        EXPECT_FALSE(read.error().message.empty());
    }
    EXPECT_TRUE(read_request(R"({"messages":[],"response_format":{"type":"text"}})"));
}

TEST(Completion, RefusesADeepRequestBeforeItIsParsed) {
    const auto nested = [](std::size_t levels) {
        return R"({"messages":[],"x":)" + std::string(levels, '[') + "\"[[[\\\"[\"" +
               std::string(levels, ']') + "}";
    };
    EXPECT_TRUE(read_request(nested(63)));
    for (const std::size_t levels : {std::size_t{64}, std::size_t{1'000'000}}) {
        const auto read = read_request(nested(levels));
        ASSERT_FALSE(read);
        EXPECT_NE(read.error().message.find("64 levels"), std::string::npos);
    }
}

const std::string stream =
    "data: null\n\n"
    ": a comment\n\n"
    "data: {\"index\":0,\"content\":\" a\",\"tokens\":[7],\"stop\":false,\"tokens_predicted\":1,"
    "\"tokens_evaluated\":5}\n\n"
    "data: {\"content\":\"\",\"tokens\":[],\"stop\":true,\"tokens_predicted\":3,"
    "\"tokens_evaluated\":5,\"stop_type\":\"limit\",\"timings\":{\"cache_n\":4}}\n\n";

TEST(Completion, ReadsEventsHoweverTheyAreCut) {
    for (std::size_t step = 1; step < stream.size(); ++step) {
        CompletionEvents events;
        std::vector<CompletionEvent> seen;
        for (std::size_t at = 0; at < stream.size(); at += step) {
            events.feed(std::string_view(stream).substr(at, step));
            for (;;) {
                auto next = events.next();
                ASSERT_TRUE(next);
                if (!*next)
                    break;
                seen.push_back(std::get<CompletionEvent>(**next));
            }
        }
        ASSERT_EQ(seen.size(), 2U) << step;
        EXPECT_EQ(seen[0].text, " a");
        EXPECT_EQ(seen[0].ids, core::TokenIds{7});
        EXPECT_TRUE(seen[1].last);
        EXPECT_EQ(seen[1].reason, core::FinishReason::length);
        EXPECT_EQ(seen[1].cached_tokens, 4U);
        EXPECT_EQ(seen[1].tokens_predicted, 3U);
    }
}

TEST(Completion, AnErrorInTheStreamKeepsItsStatus) {
    CompletionEvents events;
    events.feed("data: {\"error\":{\"code\":400,\"message\":\"too long\"}}\n\n");
    const auto next = events.next();
    ASSERT_TRUE(next && *next);
    const auto& error = std::get<CompletionError>(**next);
    EXPECT_EQ(error.status, 400U);
    EXPECT_EQ(error.message, "too long");
}

TEST(HttpResponse, ReadsEveryFramingHoweverItIsCut) {
    const std::string counted =
        "HTTP/1.1 200 OK\r\nContent-Type: x\r\nContent-Length: 5\r\n\r\nhello";
    const std::string chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n";
    const std::string open = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\n\nhello";
    for (const std::string& text : {counted, chunked, open}) {
        for (std::size_t step = 1; step <= text.size(); ++step) {
            HttpResponse response;
            std::string body;
            for (std::size_t at = 0; at < text.size(); at += step) {
                ASSERT_TRUE(response.feed(std::string_view(text).substr(at, step), body)) << text;
            }
            EXPECT_EQ(body, "hello");
            EXPECT_EQ(response.status(), 200U);
            EXPECT_TRUE(response.close());
            EXPECT_TRUE(response.complete());
        }
    }
}

TEST(HttpResponse, WhatIsCutOffOrGarbageIsAnError) {
    std::string body;
    HttpResponse cut;
    ASSERT_TRUE(cut.feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", body));
    EXPECT_FALSE(cut.close());
    for (const std::string& text :
         {std::string("nonsense\r\n"), std::string("HTTP/1.1 abc\r\n"),
          std::string("HTTP/1.1 200 OK\r\nContent-Length: x\r\n"),
          std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"),
          std::string(HttpResponse::head_bytes_max + 1, 'x')}) {
        HttpResponse response;
        EXPECT_FALSE(response.feed(text, body)) << text.substr(0, 40);
    }
}

// Mutated responses: an error or a body, never more than came in, never a crash.
TEST(HttpResponse, SurvivesMutations) {
    const std::string good = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                             std::string("10\r\ndata: {\"a\":1}\n\n\r\n0\r\n\r\n");
    base::Prng prng(1);
    for (int round = 0; round < 20'000; ++round) {
        std::string text = good;
        for (std::uint64_t change = prng.below(4) + 1; change > 0; --change) {
            const auto at = prng.below(text.size());
            if (prng.chance(0.3)) {
                text.erase(at, prng.below(5) + 1);
                if (text.empty())
                    text = "x";
            } else {
                text[at] = static_cast<char>(prng.below(256));
            }
        }
        HttpResponse response;
        CompletionEvents events;
        std::string body;
        if (response.feed(text, body))
            (void)response.close();
        EXPECT_LE(body.size(), text.size());
        events.feed(body);
        for (;;) {
            const auto next = events.next();
            if (!next || !*next)
                break;
        }
    }
}

// As words of a body, and again behind a blank that only the JSON library takes.
std::string read_as(const char* before, const std::string& json) {
    CompletionEvents events;
    events.feed("data:" + std::string(before) + json + "\n\n");
    const auto next = events.next();
    if (!next || !*next)
        return "nothing";
    const auto* event = std::get_if<CompletionEvent>(&**next);
    if (event == nullptr)
        return "an error";
    std::string all = "'" + event->text + "'";
    for (const std::int32_t id : event->ids)
        all += " " + std::to_string(id);
    all += event->counts ? " of " + std::to_string(event->tokens_predicted) : "";
    all += " behind " + std::to_string(event->tokens_evaluated) + event->logprobs_json;
    return all + (event->last ? " last " : " ") + std::to_string(event->cached_tokens);
}

TEST(CompletionEvents, CommonOnesAreReadAsTheLibraryReadsThem) {
    const std::vector<std::string> samples = {
        R"({"index":0,"content":"a","tokens":[278],"stop":false,"id_slot":-1,"tokens_predicted":1,)"
        R"("tokens_evaluated":14})",
        R"({"content":"\n\t\"\\/\u00e4","tokens":[1,-2,30],"stop":false,"tokens_predicted":7})",
        R"({"content":"\"error\":","tokens":[],"stop":true,"stop_type":"limit"})",
        R"({"error":{"code":400,"message":"no"}})",
    };
    EXPECT_TRUE(read_common_event(samples[0]));
    base::Prng prng(11);
    const std::string parts = "{}[]\",:\\0123456789-.e+tfn ax\xc3\xa4\n";
    std::size_t common = 0;
    for (int i = 0; i < 50'000; ++i) {
        std::string json = samples[prng.below(samples.size())];
        for (std::uint64_t n = prng.below(3); n > 0; --n) {
            const std::size_t at = prng.below(json.size());
            if (prng.below(2) == 0)
                json[at] = parts[prng.below(parts.size())];
            else
                json.insert(at, 1, parts[prng.below(parts.size())]);
        }
        common += read_common_event(json) ? 1 : 0;
        ASSERT_EQ(read_as(" ", json), read_as(" \t", json)) << json;
    }
    EXPECT_GT(common, 3'000U);
}

}  // namespace
}  // namespace idlewatt::engine
