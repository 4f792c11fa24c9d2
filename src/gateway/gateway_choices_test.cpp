// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One request with several answers: choices, prompts, vectors; and answers of several parts.
#include <nlohmann/json.hpp>

#include "gateway/gateway_fixture_test.hpp"

namespace idlewatt::gateway {
namespace {

using Json = nlohmann::json;

const std::string ask_three =
    R"({"model":"m","messages":[{"role":"user","content":"q"}],"stream":true,"n":3,)"
    R"("stream_options":{"include_usage":true}})";
const std::string tools =
    R"({"model":"m","messages":[{"role":"user","content":"q"}],"stream":true,"tools":)"
    R"([{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]})";

class GatewayChoices : public GatewayCoreTest {
protected:
    GatewayChoices() { slots = 8; }

    Effects end(const Tell& to, std::uint64_t number,
                core::FinishReason reason = core::FinishReason::stop) {
        return say(to, core::Numbered{number, core::Finished{reason, 5, 2, 0}});
    }
    Effects call(const Tell& to, std::uint64_t number, const std::string& arguments) {
        core::Piece piece;
        piece.token_count = 3;
        piece.tool_calls = {{"call_1", "f", arguments}};
        return say(to, core::Numbered{number, piece});
    }
    static std::vector<Json> events(const std::string& bytes) {
        std::vector<Json> found;
        std::size_t at = 0;
        while ((at = bytes.find("data: ", at)) != std::string::npos) {
            at += 6;
            const std::string text = bytes.substr(at, bytes.find("\n\n", at) - at);
            found.push_back(text == "[DONE]" ? Json(text) : Json::parse(text));
        }
        return found;
    }
    static std::string content_of(const std::vector<Json>& all, int index) {
        std::string text;
        for (const Json& event : all) {
            if (!event.is_object() || event["choices"].empty())
                continue;
            const Json& choice = event["choices"][0];
            if (choice["index"] == index && choice["delta"].contains("content"))
                text += choice["delta"]["content"].get<std::string>();
        }
        return text;
    }
};

TEST_F(GatewayChoices, StreamsOfSeveralChoicesInterleaveByIndex) {
    announce("car");
    const auto opens = all_opened(ask(1, ask_three));
    ASSERT_EQ(opens.size(), 3U);
    EXPECT_NE(opens[0].attempt, opens[1].attempt);
    everything.clear();
    piece(opens[2], 1, "c");
    piece(opens[0], 1, "a");
    piece(opens[2], 2, "cc");
    piece(opens[1], 1, "b");
    end(opens[1], 2);
    end(opens[2], 3);
    EXPECT_TRUE(all<EndResponse>(everything).empty()) << "one choice still speaks";
    piece(opens[0], 2, "aa");
    end(opens[0], 3);
    EXPECT_EQ(all<BeginResponse>(everything).size(), 1U);
    EXPECT_EQ(all<EndResponse>(everything).size(), 1U);
    const auto found = events(written(everything));
    EXPECT_EQ(content_of(found, 0), "aaa");
    EXPECT_EQ(content_of(found, 1), "b");
    EXPECT_EQ(content_of(found, 2), "ccc");
    EXPECT_EQ(found.back(), Json("[DONE]"));
    const Json& usage = found[found.size() - 2]["usage"];
    EXPECT_EQ(usage["prompt_tokens"], 5) << "the prompt counts once";
    EXPECT_EQ(usage["completion_tokens"], 6);
    for (const Json& event : found) {
        if (event.is_object()) {
            EXPECT_EQ(event["id"], found[0]["id"]);
        }
    }
    EXPECT_EQ(core.figures().requests_completed, 1U);
    EXPECT_EQ(core.fleet().rows(now)[0].active_requests, 0U);
}

TEST_F(GatewayChoices, EachChoiceMovesOnByItself) {
    announce("car");
    const auto opens = all_opened(ask(1, ask_three));
    ASSERT_EQ(opens.size(), 3U);
    piece(opens[0], 1, "a");
    piece(opens[1], 1, "b");
    announce("other");
    const Effects moved = say(opens[1], core::Numbered{2, core::Yielded{core::Reason::occupied}});
    const auto again = all_opened(moved);
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].vehicle, core::VehicleId("other"));
    EXPECT_EQ(work_of(again[0]).resume.tokens, 1U);
    EXPECT_EQ(work_of(again[0]).id, work_of(opens[1]).id);
    EXPECT_NE(written(piece(again[0], 1, "bb")).find("\"index\":1"), std::string::npos);
    EXPECT_NE(written(piece(opens[0], 2, "aa")).find("\"index\":0"), std::string::npos);
}

// Bytes of the shared response decide what each car is told.
TEST_F(GatewayChoices, AcknowledgesEachCarWhatTheClientHasOfIt) {
    announce("car");
    const auto opens = all_opened(ask(1, ask_three));
    piece(opens[0], 1, "a");
    const std::uint64_t first = given;
    piece(opens[1], 1, "b");
    feed(Written{http::RequestId{1}, first});
    std::map<core::AttemptId, std::uint64_t> acknowledged;
    const auto look = [&] {
        for (const Tell& tell : all<Tell>(pass(core::ack_period, {"car"}))) {
            if (const auto* ack = std::get_if<core::Ack>(&tell.message))
                acknowledged[tell.attempt] = ack->sequence;
        }
    };
    look();
    EXPECT_EQ(acknowledged[opens[0].attempt], 1U);
    EXPECT_EQ(acknowledged[opens[1].attempt], 0U);
    for (const Tell& open : opens)
        say(open, core::Alive{1, 0});
    all_written(1);
    look();
    EXPECT_EQ(acknowledged[opens[1].attempt], 1U);
}

TEST_F(GatewayChoices, OneChoicesFinalFailureIsTheRequests) {
    announce("car");
    const auto opens = all_opened(ask(1, ask_three));
    piece(opens[0], 1, "a");
    const Effects effects = say(opens[1], core::Numbered{1, core::Rejected{400, "too long"}});
    EXPECT_NE(written(effects).find("\"error\""), std::string::npos);
    EXPECT_EQ(written(effects).find("[DONE]"), std::string::npos);
    EXPECT_EQ(all<EndResponse>(effects).size(), 1U);
    EXPECT_EQ(told<core::Cancel>(effects).size(), 2U) << "the others work for nobody";
    EXPECT_EQ(core.fleet().rows(now)[0].active_requests, 0U);
}

TEST_F(GatewayChoices, MoreChoicesThanSlotsWaitForEachOther) {
    slots = 1;
    announce("car");
    Effects effects = ask(1, ask_three);
    for (int choice = 0; choice < 3; ++choice) {
        const auto opens = all_opened(effects);
        ASSERT_EQ(opens.size(), 1U) << choice;
        // Longer than a question may wait whose answer nobody works on.
        for (int i = 1; i <= 25; ++i) {
            now = now + base::seconds(1);
            announce("car");
            say(opens[0], core::Alive{1, static_cast<std::uint64_t>(i - 1)});
            piece(opens[0], static_cast<std::uint64_t>(i), "x");
            all_written(1);
            EXPECT_TRUE(all<EndResponse>(feed(Tick{})).empty());
        }
        effects = end(opens[0], 26);
    }
    EXPECT_EQ(core.figures().requests_completed, 1U);
}

// Comments that the client takes are no progress.
TEST_F(GatewayChoices, ChoicesThatNoCarTakesAreGivenUp) {
    slots = 1;
    announce("busy");
    const Tell busy = opened(ask(1));
    EXPECT_TRUE(all_opened(ask(2, ask_three)).empty());
    std::string bytes;
    for (int i = 0; i < 40 && bytes.find("\"error\"") == std::string::npos; ++i) {
        now = now + base::seconds(1);
        announce("busy");
        say(busy, core::Alive{1, 0});
        bytes += written(feed(Tick{}));
        all_written(1);
        all_written(2);
    }
    EXPECT_NE(bytes.find("waiting for a car"), std::string::npos);
    EXPECT_NE(bytes.find("\"error\""), std::string::npos);
}

TEST_F(GatewayChoices, SeveralPromptsAreSeveralWorksOfOneAnswer) {
    announce("car");
    const auto opens = all_opened(
        ask(1, R"({"model":"m","prompt":["one","two"],"n":2,"max_tokens":4})", "/v1/completions"));
    ASSERT_EQ(opens.size(), 4U);
    EXPECT_EQ(work_of(opens[0]).task, core::Task::completion);
    everything.clear();
    for (std::size_t i = 0; i < 4; ++i) {
        piece(opens[i], 1, "t" + std::to_string(i));
        end(opens[i], 2, core::FinishReason::length);
    }
    const Json body = Json::parse(answer(everything).body);
    EXPECT_EQ(body["object"], "text_completion");
    ASSERT_EQ(body["choices"].size(), 4U);
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(body["choices"][i]["index"], i);
        EXPECT_EQ(body["choices"][i]["text"], "t" + std::to_string(i));
    }
    EXPECT_EQ(body["usage"]["prompt_tokens"], 10) << "of two prompts";
    EXPECT_EQ(body["usage"]["completion_tokens"], 8);
}

TEST_F(GatewayChoices, VectorsComeFromACarThatMakesThem) {
    announce("plain");
    EXPECT_EQ(answer(ask(1, R"({"model":"m","input":"x"})", "/v1/embeddings")).status, 400);
    able.embeddings = true;
    announce("able");
    const auto opens = all_opened(
        ask(2, R"({"model":"m","input":["x","y"],"encoding_format":"base64"})", "/v1/embeddings"));
    ASSERT_EQ(opens.size(), 1U);
    EXPECT_EQ(opens[0].vehicle, core::VehicleId("able"));
    EXPECT_EQ(work_of(opens[0]).task, core::Task::embedding);
    const std::string values("\0\0\x80\x3f\0\0\0\0", 8);
    say(opens[0], core::Numbered{1, core::Embedding{0, values}});
    // The car leaves: whoever comes next begins again.
    able.embeddings = true;
    announce("other");
    const auto again =
        all_opened(say(opens[0], core::Numbered{2, core::Yielded{core::Reason::occupied}}));
    ASSERT_EQ(again.size(), 1U);
    say(again[0], core::Numbered{1, core::Embedding{0, values}});
    say(again[0], core::Numbered{2, core::Embedding{1, values}});
    const Json body =
        Json::parse(answer(say(again[0], core::Numbered{3, core::Finished{{}, 7, 0, 0}})).body);
    ASSERT_EQ(body["data"].size(), 2U);
    EXPECT_EQ(body["data"][1]["embedding"], "AACAPwAAAAA=");
    EXPECT_EQ(body["usage"]["prompt_tokens"], 7);
}

TEST_F(GatewayChoices, ACarThatOwesAVectorIsNotBelieved) {
    able.embeddings = true;
    announce("a");
    announce("b");
    const auto opens = all_opened(ask(1, R"({"model":"m","input":["x","y"]})", "/v1/embeddings"));
    ASSERT_EQ(opens.size(), 1U);
    say(opens[0], core::Numbered{1, core::Embedding{0, "\0\0\0\0"}});
    const Effects effects = say(opens[0], core::Numbered{2, core::Finished{{}, 7, 0, 0}});
    EXPECT_TRUE(all<Respond>(effects).empty());
    EXPECT_EQ(all_opened(effects).size(), 1U);
}

// Nobody has seen the first car's call, so the second may call otherwise.
TEST_F(GatewayChoices, ACallIsHeldBackUntilTheAnswerEnds) {
    announce("car");
    const Tell open = opened(ask(1, tools));
    EXPECT_EQ(written(call(open, 1, R"({"a":1})")), "");
    announce("other");
    const Effects left = feed(CarLeft{open.vehicle, open.incarnation});
    EXPECT_EQ(told<core::Ack>(left).at(0).sequence, 0U) << "a call that the client never got";
    const Tell again = opened(left);
    EXPECT_TRUE(work_of(again).resume.empty());
    EXPECT_EQ(written(call(again, 1, R"({"b":2})")), "");
    const std::string bytes = written(end(again, 2, core::FinishReason::tool_calls));
    EXPECT_EQ(bytes.find(R"({\"a\":1})"), std::string::npos);
    EXPECT_NE(bytes.find(R"({\"b\":2})"), std::string::npos);
    EXPECT_NE(bytes.find("\"finish_reason\":\"tool_calls\""), std::string::npos);
    EXPECT_NE(bytes.find("[DONE]"), std::string::npos);
}

TEST_F(GatewayChoices, ATextBeforeACallIsContinuedBehindIt) {
    announce("car");
    const Tell open = opened(ask(1, tools));
    EXPECT_NE(written(piece(open, 1, "I call.")), "");
    call(open, 2, R"({"a":1})");
    announce("other");
    const Tell again = opened(say(open, core::Numbered{3, core::Yielded{core::Reason::occupied}}));
    EXPECT_EQ(work_of(again).resume.tokens, 1U) << "the text without the call";
    call(again, 1, R"({"b":2})");
    const std::string bytes = written(end(again, 2, core::FinishReason::tool_calls));
    EXPECT_EQ(bytes.find("I call."), std::string::npos);
    EXPECT_NE(bytes.find(R"({\"b\":2})"), std::string::npos);
}

// Whoever ends it may have nothing left to count: a picture's answer at its limit, calls that are
// whole when the last car leaves.
TEST_F(GatewayChoices, APromptThatOneCarCountedStaysCounted) {
    const std::string asked =
        R"({"model":"m","messages":[{"role":"user","content":"q"}],"stream":true,)"
        R"("stream_options":{"include_usage":true}})";
    announce("car");
    const Tell open = opened(ask(1, asked));
    core::Piece counted{{7}, "a", 1};
    counted.prompt_tokens = 41;
    say(open, core::Numbered{1, counted});
    announce("other");
    const Tell again = opened(say(open, core::Numbered{2, core::Yielded{core::Reason::occupied}}));
    everything.clear();
    say(again, core::Numbered{1, core::Finished{core::FinishReason::length, 0, 0, 0}});
    all_written(1);
    const auto found = events(written(everything));
    ASSERT_GE(found.size(), 2U);
    EXPECT_EQ(found[found.size() - 2]["usage"]["prompt_tokens"], 41);
    const auto records = all<Record>(everything);
    ASSERT_FALSE(records.empty());
    EXPECT_EQ(records.back().delivery.prompt_tokens, 41U);
}

// What a car says behind a call must not stop it for want of acknowledgements.
TEST_F(GatewayChoices, SoManyCallsAreGivenThatTheCarCanGoOn) {
    announce("car");
    const Tell open = opened(ask(1, tools));
    std::uint64_t number = 0;
    std::string bytes;
    while (number < core::window_messages && bytes.empty())
        bytes = written(call(open, ++number, "{}"));
    EXPECT_LT(number, core::window_messages);
    EXPECT_NE(bytes, "");
    // It leaves: the calls are whole, and another car would make them once more.
    const std::string last =
        written(say(open, core::Numbered{++number, core::Yielded{core::Reason::occupied}}));
    EXPECT_NE(last.find("\"finish_reason\":\"tool_calls\""), std::string::npos);
    EXPECT_NE(last.find("[DONE]"), std::string::npos);
}

// A car cannot end the gateway with it.
TEST_F(GatewayChoices, AHeldCallThatMakesAnAnswerTooLargeFailsItOnce) {
    std::string whole = tools;
    whole.replace(whole.find("true"), 4, "false");
    for (const bool by_its_end : {true, false}) {
        announce("car");
        everything.clear();
        const Tell open = opened(ask(by_its_end ? 1 : 2, whole));
        piece(open, 1, std::string(whole_answer_bytes_max + wire::works_bytes_max - 10'000, 'x'));
        call(open, 2, std::string(held_bytes_max / 2, 'y'));
        const Effects effects =
            by_its_end ? end(open, 3) : call(open, 3, std::string(held_bytes_max, 'z'));
        EXPECT_EQ(answer(effects).status, 413);
        EXPECT_EQ(told<core::Cancel>(effects).size(), 1U);
        EXPECT_EQ(core.fleet().rows(now)[0].active_requests, 0U);
    }
    announce("car");
    (void)opened(ask(3));
}

TEST_F(GatewayChoices, ThoughtsGoToTheNextCarAndToTheClientOnce) {
    announce("car");
    const Tell open = opened(ask(1));
    core::Piece thought;
    thought.token_count = 4;
    thought.reasoning = "hmm";
    EXPECT_NE(written(say(open, core::Numbered{1, thought})).find("hmm"), std::string::npos);
    announce("other");
    const Tell again = opened(say(open, core::Numbered{2, core::Yielded{core::Reason::occupied}}));
    EXPECT_EQ(work_of(again).resume.reasoning, "hmm");
    EXPECT_EQ(written(say(again, core::Numbered{1, thought})).find("hmm"), std::string::npos);
    EXPECT_NE(written(piece(again, 2, "so")).find("so"), std::string::npos);
}

}  // namespace
}  // namespace idlewatt::gateway
