// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/answer.hpp"

#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/prng.hpp"

namespace idlewatt::wire {
namespace {

using nlohmann::json;

AnswerHead head_of(core::Task task) {
    AnswerHead head{core::WorkId{"w1"}, "m", base::WallTime{1'790'000'000'000'000}};
    head.task = task;
    head.service_tier = "default";
    head.fingerprint = "0123456789";
    return head;
}

std::vector<json> events_of(const std::string& stream) {
    std::vector<json> events;
    for (std::size_t at = 0; at < stream.size();) {
        const std::size_t end = stream.find("\n\n", at);
        EXPECT_NE(end, std::string::npos);
        EXPECT_EQ(stream.substr(at, 6), "data: ");
        events.push_back(json::parse(stream.substr(at + 6, end - at - 6)));
        at = end + 2;
    }
    return events;
}

core::Piece piece_of(const std::string& text, const std::string& logprobs = {}) {
    core::Piece piece{{}, text, 1};
    piece.logprobs_json = logprobs;
    return piece;
}

const char* const two_tokens = R"([
    {"token":"a","logprob":-0.25,"bytes":[97],"top_logprobs":[
        {"token":"a","logprob":-0.25,"bytes":[97]},{"token":"b","logprob":-2,"bytes":[98]},
        {"token":"c","logprob":-3,"bytes":[99]}]},
    {"token":"é","logprob":null,"extra":"\n"}])";

// What the official client's accumulator does with the deltas of one choice.
struct Merged {
    std::string content;
    std::string reasoning;
    std::map<int, json> calls;
    json finish;
};
std::map<int, Merged> merge(const std::vector<json>& events) {
    std::map<int, Merged> choices;
    for (const json& event : events) {
        for (const json& choice : event.at("choices")) {
            Merged& merged = choices[choice.at("index")];
            const json& delta = choice.at("delta");
            merged.content += delta.value("content", "");
            merged.reasoning += delta.value("reasoning_content", "");
            if (!choice.at("finish_reason").is_null())
                merged.finish = choice.at("finish_reason");
            for (const json& call : delta.value("tool_calls", json::array())) {
                json& whole = merged.calls[call.at("index")];
                if (whole.is_null()) {
                    EXPECT_TRUE(call.contains("id") && call.at("type") == "function");
                    whole = call;
                } else {
                    EXPECT_FALSE(call.contains("id") || call.contains("type"));
                    auto& arguments = whole["function"]["arguments"].get_ref<std::string&>();
                    arguments += call.at("function").at("arguments").get<std::string>();
                }
            }
        }
    }
    return choices;
}

TEST(ChatStream, SeveralChoicesWithReasoningAndCallsMergeToWhatWasSaid) {
    AnswerHead head = head_of(core::Task::chat);
    head.include_usage = true;
    StreamedChoice first{0};
    StreamedChoice second{1};
    std::string out;
    append_begin(out, head, first);
    append_begin(out, head, second);
    core::Piece thinking;
    thinking.reasoning = "hm\n";
    append_piece(out, head, second, thinking);
    append_piece(out, head, first, piece_of("Hel"));
    core::Piece calls = piece_of("I call.");
    calls.tool_calls = {{"c1", "f", R"({"x":"\n"})"}, {"c2", "g", "{}"}};
    append_piece(out, head, second, calls);
    calls = {};
    calls.tool_calls = {{"c3", "f", ""}};
    append_piece(out, head, second, calls);
    append_piece(out, head, first, piece_of("lo"));
    append_piece(out, head, first, {});
    append_finish(out, head, first, core::FinishReason::length);
    append_finish(out, head, second, core::FinishReason::stop);
    append_usage(out, head, {5, 9, 2, 1});

    const std::vector<json> events = events_of(out);
    for (const json& event : events) {
        EXPECT_EQ(event["id"], "chatcmpl-w1");
        EXPECT_EQ(event["object"], "chat.completion.chunk");
        EXPECT_EQ(event["created"], 1'790'000'000);
        EXPECT_EQ(event["system_fingerprint"], "fp_0123456789");
        EXPECT_EQ(event.at("usage").is_null(), &event != &events.back());
    }
    EXPECT_EQ(events.front()["choices"][0]["delta"]["role"], "assistant");
    EXPECT_EQ(events.front()["service_tier"], "default");
    EXPECT_EQ(events.back()["choices"], json::array());
    EXPECT_EQ(events.back()["usage"]["completion_tokens_details"]["reasoning_tokens"], 1);

    const auto choices = merge(events);
    EXPECT_EQ(choices.at(0).content, "Hello");
    EXPECT_EQ(choices.at(0).finish, "length");
    EXPECT_TRUE(choices.at(0).calls.empty());
    EXPECT_EQ(choices.at(1).content, "I call.");
    EXPECT_EQ(choices.at(1).reasoning, "hm\n");
    EXPECT_EQ(choices.at(1).finish, "tool_calls");
    ASSERT_EQ(choices.at(1).calls.size(), 3U);
    EXPECT_EQ(choices.at(1).calls.at(0)["id"], "c1");
    EXPECT_EQ(choices.at(1).calls.at(0)["function"],
              (json{{"name", "f"}, {"arguments", R"({"x":"\n"})"}}));
    EXPECT_EQ(choices.at(1).calls.at(2)["function"]["arguments"], "");
}

TEST(ChatStream, UsageIsSaidOnlyWhenAskedFor) {
    std::string out;
    append_usage(out, head_of(core::Task::chat), {1, 2, 3});
    EXPECT_EQ(out, "");
}

TEST(ChatStream, LogprobsAreReadAndWrittenAnew) {
    AnswerHead head = head_of(core::Task::chat);
    StreamedChoice choice;
    std::string out;
    append_piece(out, head, choice, piece_of("aé", two_tokens));
    EXPECT_FALSE(events_of(out)[0]["choices"][0].contains("logprobs"));  // nobody asked

    head.top_logprobs = 2;
    out.clear();
    append_piece(out, head, choice, piece_of("aé", two_tokens));
    const json logprobs = events_of(out)[0]["choices"][0]["logprobs"];
    EXPECT_EQ(logprobs["refusal"], nullptr);
    ASSERT_EQ(logprobs["content"].size(), 2U);
    EXPECT_EQ(logprobs["content"][0],
              json::parse(R"({"token":"a","logprob":-0.25,"bytes":[97],"top_logprobs":[
                  {"token":"a","logprob":-0.25,"bytes":[97]},
                  {"token":"b","logprob":-2.0,"bytes":[98]}]})"));
    EXPECT_EQ(logprobs["content"][1],
              json::parse(R"({"token":"é","logprob":-9999.0,"bytes":null,"top_logprobs":[]})"));

    // Without a text there may still be tokens; without either there is nothing.
    out.clear();
    append_piece(out, head, choice, piece_of("", two_tokens));
    EXPECT_EQ(events_of(out).size(), 1U);
    out.clear();
    append_piece(out, head, choice, piece_of(""));
    EXPECT_EQ(out, "");
}

TEST(ChatStream, ACarCannotBreakTheFramingThroughLogprobs) {
    AnswerHead head = head_of(core::Task::chat);
    head.top_logprobs = 20;
    base::Prng prng(1);
    const std::string good = two_tokens;
    for (int i = 0; i < 5'000; ++i) {
        std::string bytes = good;
        for (std::uint64_t n = 1 + prng.below(4); n > 0; --n)
            bytes[prng.below(bytes.size())] = static_cast<char>(prng.below(256));
        for (const auto task : {core::Task::chat, core::Task::completion}) {
            head.task = task;
            StreamedChoice choice;
            std::string out;
            append_piece(out, head, choice, piece_of("x", bytes));
            ASSERT_EQ(events_of(out).size(), 1U);
            WholeChoice whole;
            whole.append(piece_of("x", bytes));
            ASSERT_TRUE(json::accept(whole_answer(head, {&whole, 1}, {})));
        }
    }
}

TEST(CompletionStream, EchoTextAndLogprobs) {
    AnswerHead head = head_of(core::Task::completion);
    StreamedChoice choice{1};
    std::string out;
    append_begin(out, head, choice);
    EXPECT_EQ(out, "");
    append_begin(out, head, choice, "Once é");
    head.top_logprobs = 1;
    choice.text_offset = 6;
    append_piece(out, head, choice, piece_of("aé", two_tokens));
    append_piece(out, head, choice, piece_of("z"));
    append_finish(out, head, choice, core::FinishReason::stop);
    const std::vector<json> events = events_of(out);
    ASSERT_EQ(events.size(), 4U);
    for (const json& event : events) {
        EXPECT_EQ(event["id"], "cmpl-w1");
        EXPECT_EQ(event["object"], "text_completion");
        const json& only = event["choices"][0];
        EXPECT_EQ(only["index"], 1);
        EXPECT_TRUE(only.contains("logprobs") && only.contains("finish_reason"));
    }
    EXPECT_EQ(events[0]["choices"][0]["text"], "Once é");
    EXPECT_EQ(events[1]["choices"][0]["logprobs"], json::parse(R"({
        "tokens":["a","é"],"token_logprobs":[-0.25,-9999.0],
        "top_logprobs":[{"a":-0.25},{}],"text_offset":[6,7]})"));
    EXPECT_EQ(choice.text_offset, 9U);
    EXPECT_EQ(events[3]["choices"][0]["finish_reason"], "stop");
}

// A text that comes at once brings more logprobs than one piece holds; and one that comes late has
// them before it. Either way a token begins where it stands in the text.
TEST(CompletionStream, TokensOfATextInOnePieceHaveTheirPlacesInIt) {
    AnswerHead head = head_of(core::Task::completion);
    head.top_logprobs = 0;
    const std::string first = R"([{"token":"ab","logprob":-1,"bytes":[97,98]},)"
                              R"({"token":"?","logprob":-1,"bytes":[195]}])";
    const std::string second = R"([{"token":"?","logprob":-1,"bytes":[169]},)"
                               R"({"token":"cd","logprob":-1,"bytes":[99,100]}])";
    for (const bool behind : {true, false}) {
        StreamedChoice choice;
        std::string out;
        append_piece(out, head, choice, piece_of(behind ? "abécd" : "", first));
        append_piece(out, head, choice, piece_of(behind ? "" : "abécd", second));
        append_piece(out, head, choice, piece_of("z", first));
        const std::vector<json> events = events_of(out);
        ASSERT_EQ(events.size(), 3U);
        const auto offsets = [&](std::size_t event) {
            return events[event]["choices"][0]["logprobs"]["text_offset"];
        };
        EXPECT_EQ(offsets(0), json({0, 2}));
        EXPECT_EQ(offsets(1), json({3, 3})) << "the character began with the token before";
        EXPECT_EQ(offsets(2)[0], 5);
    }
}

TEST(WholeAnswer, ChatsHaveAllRequiredKeys) {
    AnswerHead head = head_of(core::Task::chat);
    head.top_logprobs = 0;
    std::vector<WholeChoice> choices(2);
    choices[0].append(piece_of("He", two_tokens));
    choices[0].append(piece_of("llo", two_tokens));
    choices[0].reason = core::FinishReason::length;
    core::Piece piece;
    piece.reasoning = "hm";
    piece.tool_calls = {{"c1", "f", R"({"x":1})"}, {"c2", "g", "{}"}};
    choices[1].append(piece);
    const json answer = json::parse(whole_answer(head, choices, {1, 2, 3, 4}));
    EXPECT_EQ(answer["service_tier"], "default");
    EXPECT_EQ(answer["system_fingerprint"], "fp_0123456789");
    EXPECT_EQ(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 3);
    const json& first = answer["choices"][0];
    EXPECT_EQ(first["message"],
              (json{{"role", "assistant"}, {"content", "Hello"}, {"refusal", nullptr}}));
    EXPECT_EQ(first["logprobs"]["content"].size(), 4U);
    EXPECT_EQ(first["logprobs"]["content"][0]["top_logprobs"], json::array());
    EXPECT_EQ(first["finish_reason"], "length");
    EXPECT_EQ(answer["choices"][1], json::parse(R"({"index":1,"message":{"role":"assistant",
        "content":null,"refusal":null,"reasoning_content":"hm","tool_calls":[
        {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
        {"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},
        "logprobs":null,"finish_reason":"tool_calls"})"));
}

TEST(WholeAnswer, CompletionsToo) {
    AnswerHead head = head_of(core::Task::completion);
    head.top_logprobs = 0;
    std::vector<WholeChoice> choices{{}, {}, echoed_choice("é: ")};
    choices[0].append(piece_of("aé", two_tokens));
    const json answer = json::parse(whole_answer(head, choices, {1, 2, 0}));
    EXPECT_EQ(answer["object"], "text_completion");
    EXPECT_EQ(answer["choices"][0], json::parse(R"({"text":"aé","index":0,"logprobs":{
        "tokens":["a","é"],"token_logprobs":[-0.25,-9999.0],"top_logprobs":null,
        "text_offset":[0,1]},"finish_reason":"stop"})"));
    EXPECT_EQ(answer["choices"][2]["text"], "é: ");
    EXPECT_EQ(answer["choices"][1],
              json::parse(R"({"text":"","index":1,"logprobs":null,"finish_reason":"stop"})"));
}

}  // namespace
}  // namespace idlewatt::wire
