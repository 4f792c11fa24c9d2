// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The judge must find every fault and accuse nobody: answers are made up together with the taps
// that engines would have left, undisturbed or with one fault of a known size.
#include "cli/answer_comparison.hpp"

#include <algorithm>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/prng.hpp"
#include "cli/answer_alignment.hpp"

namespace idlewatt::cli {
namespace {

using Json = nlohmann::ordered_json;
using engine::TapDirection;
using engine::TapFrame;

constexpr const char* work_id = "0190a1b2c3d4e5f60718293a4b5c6d7e";
constexpr const char* question = "<|user|>Tell me.<|assistant|>";
const std::vector<std::int32_t> question_ids{7, 8, 9};

struct Token {
    std::int32_t id;
    std::string text;
};

// No token is the beginning of another one and none comes twice, so faults have one size only.
std::vector<Token> make_answer(std::size_t tokens, std::size_t from = 0) {
    std::vector<Token> answer;
    for (std::size_t i = from; i < from + tokens; ++i)
        answer.push_back({static_cast<std::int32_t>(1000 + i), "w" + std::to_string(i) + " "});
    return answer;
}

std::string text_of(const std::vector<Token>& tokens, std::size_t from, std::size_t to) {
    std::string text;
    for (std::size_t i = from; i < to; ++i)
        text += tokens[i].text;
    return text;
}

// As text alone for a new answer, as ids where one is resumed.
Json prompt_of(const std::vector<Token>& tokens, std::size_t count) {
    if (count == 0)
        return Json::array({question});
    Json prompt = question_ids;
    for (std::size_t i = 0; i < count; ++i)
        prompt.push_back(tokens[i].id);
    return prompt;
}

std::string request(const std::string& path, const Json& body) {
    const std::string text = body.dump();
    return "POST " + path +
           " HTTP/1.1\r\nHost: engine\r\nContent-Length: " + std::to_string(text.size()) +
           "\r\n\r\n" + text;
}

std::string event(const std::string& text, const std::vector<std::int32_t>& ids,
                  std::uint32_t predicted, bool stop) {
    const Json json = {{"content", text},
                       {"tokens", ids},
                       {"stop", stop},
                       {"tokens_predicted", predicted},
                       {"tokens_evaluated", question_ids.size()}};
    const std::string line = "data: " + json.dump() + "\n\n";
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", line.size());
    return size + line + "\r\n";
}

const std::string stream_head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

// The tap of one car, written as the engine's edge would.
class FakeTap {
public:
    explicit FakeTap(std::uint64_t seed = 1) : prng_(seed) {}

    void exchange(std::uint32_t attempt, const std::string& to, std::string_view from) {
        const std::uint64_t connection = next_connection_++;
        add(TapDirection::to_engine, connection, attempt, to);
        while (!from.empty()) {
            const std::size_t part = std::min<std::size_t>(from.size(), 1 + prng_.below(60));
            add(TapDirection::from_engine, connection, attempt, std::string(from.substr(0, part)));
            from.remove_prefix(part);
        }
        add(TapDirection::over, connection, attempt, "");
    }

    // One token in each event, then the end unless cut.
    void complete(std::uint32_t attempt, const Json& prompt, const std::vector<Token>& answer,
                  std::size_t from, std::size_t to, bool ended) {
        std::string stream = stream_head;
        for (std::size_t i = from; i < to; ++i) {
            stream += event(answer[i].text, {answer[i].id},
                            static_cast<std::uint32_t>(i - from + 1), false);
        }
        if (ended)
            stream += event("", {}, static_cast<std::uint32_t>(to - from + 1), true) + "0\r\n\r\n";
        exchange(attempt, request("/completion", {{"prompt", prompt}, {"stream", true}}), stream);
    }

    std::vector<TapFrame> frames;

private:
    void add(TapDirection direction, std::uint64_t connection, std::uint32_t attempt,
             std::string data) {
        frames.push_back({direction, connection, base::WallTime{},
                          std::string(work_id) + "-" + std::to_string(attempt), std::move(data)});
    }

    base::Prng prng_;
    std::uint64_t next_connection_ = 1;
};

AnswerRecord finished_record(std::string text) {
    AnswerRecord record;
    record.request_id = std::string("chatcmpl-") + work_id;
    record.streamed = true;
    record.status = 200;
    record.text = std::move(text);
    record.finish_reason = "stop";
    record.done_seen = true;
    return record;
}

AnswerRecord broken_record(std::string text) {
    AnswerRecord record = finished_record(std::move(text));
    record.finish_reason.clear();
    record.done_seen = false;
    record.error_code = "worker_preempted";
    return record;
}

std::string findings_of(const ComparisonResult& result) {
    std::string all;
    for (const AnswerFinding& finding : result.findings)
        all += finding.what + "\n";
    return all;
}

// 20 tokens: the first car says 12 and dies; the second goes on behind 9 of them.
struct TwoCars {
    std::vector<Token> answer = make_answer(20);
    FakeTap first, second;

    explicit TwoCars(Json prompt_of_second) {
        first.complete(1, prompt_of(answer, 0), answer, 0, 12, false);
        second.complete(2, prompt_of_second, answer, 9, 20, true);
    }
    ComparisonResult judge(const AnswerRecord& record) const {
        return compare_answers({first.frames, second.frames}, {record});
    }
};

TEST(AnswerComparison, TakesAnAnswerThatWentOnElsewhere) {
    const TwoCars cars(prompt_of(make_answer(20), 9));
    const auto result = cars.judge(finished_record(text_of(cars.answer, 0, 20)));
    EXPECT_TRUE(result.clean()) << findings_of(result);
    EXPECT_EQ(result.tokens.delivered, 21U);  // with the end token
    EXPECT_EQ(result.answers_finished, 1U);
    EXPECT_EQ(result.attempts, 2U);
    EXPECT_EQ(result.resumed, 1U);
}

TEST(AnswerComparison, FindsALostPiece) {
    const TwoCars cars(prompt_of(make_answer(20), 9));
    const std::string text = text_of(cars.answer, 0, 4) + text_of(cars.answer, 6, 20);
    const auto result = cars.judge(finished_record(text));
    EXPECT_EQ(result.tokens.lost, 2U) << findings_of(result);
    EXPECT_EQ(result.tokens.duplicated, 0U);
    EXPECT_EQ(result.tokens.delivered, 19U);
    ASSERT_FALSE(result.findings.empty());
    EXPECT_NE(result.findings[0].what.find("from byte 12 "), std::string::npos)
        << findings_of(result);
}

TEST(AnswerComparison, FindsADuplicatedPiece) {
    const TwoCars cars(prompt_of(make_answer(20), 9));
    // The client got 12 tokens of the first car, but the second was told of 9.
    const std::string text = text_of(cars.answer, 0, 12) + text_of(cars.answer, 9, 20);
    const auto result = cars.judge(finished_record(text));
    EXPECT_EQ(result.tokens.duplicated, 3U) << findings_of(result);
    EXPECT_EQ(result.tokens.lost, 0U);
    EXPECT_EQ(result.foreign_bytes, 0U);
}

TEST(AnswerComparison, FindsATokenMissingInAPromptAlthoughTheTextIsWhole) {
    Json prompt = prompt_of(make_answer(20), 9);
    prompt.erase(7);
    const TwoCars cars(prompt);
    const auto result = cars.judge(finished_record(text_of(cars.answer, 0, 20)));
    EXPECT_EQ(result.wrong_resumes, 1U);
    EXPECT_EQ(result.tokens.lost, 1U) << findings_of(result);
    EXPECT_EQ(result.tokens.duplicated, 0U);
}

TEST(AnswerComparison, FindsAPieceLostInPromptAndText) {
    Json prompt = prompt_of(make_answer(20), 9);
    prompt.erase(7);
    const TwoCars cars(prompt);
    const std::string text = text_of(cars.answer, 0, 4) + text_of(cars.answer, 5, 20);
    EXPECT_EQ(cars.judge(finished_record(text)).tokens.lost, 1U);
}

TEST(AnswerComparison, FindsATokenTooManyInAPrompt) {
    Json prompt = prompt_of(make_answer(20), 9);
    prompt.insert(prompt.begin() + 7, prompt[6]);
    const TwoCars cars(prompt);
    const auto result = cars.judge(finished_record(text_of(cars.answer, 0, 20)));
    EXPECT_EQ(result.wrong_resumes, 1U);
    EXPECT_EQ(result.tokens.duplicated, 1U) << findings_of(result);
    EXPECT_EQ(result.tokens.lost, 0U);
}

TEST(AnswerComparison, FindsTextThatNoEngineSaid) {
    const TwoCars cars(prompt_of(make_answer(20), 9));
    const auto result = cars.judge(
        finished_record(text_of(cars.answer, 0, 7) + "XYZ" + text_of(cars.answer, 7, 20)));
    EXPECT_EQ(result.foreign_bytes, 3U) << findings_of(result);
    EXPECT_FALSE(result.clean());

    const auto without_tap = compare_answers({}, {finished_record("hello")});
    EXPECT_EQ(without_tap.foreign_bytes, 5U);
}

TEST(AnswerComparison, FindsAnAnswerThatWasCutSilently) {
    FakeTap tap;
    const auto answer = make_answer(20);
    tap.complete(1, prompt_of(answer, 0), answer, 0, 12, false);
    const auto result = compare_answers({tap.frames}, {finished_record(text_of(answer, 0, 12))});
    EXPECT_EQ(result.cut_short, 1U);
    EXPECT_FALSE(result.clean());
}

// A second car was asked because the first was late; the client has the words of one of them.
TEST(AnswerComparison, TakesTheAnswerOfEitherOfTwoRivals) {
    const auto winner = make_answer(20);
    const auto loser = make_answer(20, 50);
    for (const std::size_t said_by_loser : {0U, 7U}) {
        for (const bool first_wins : {true, false}) {
            FakeTap first;
            FakeTap second;
            FakeTap& won = first_wins ? first : second;
            FakeTap& lost = first_wins ? second : first;
            won.complete(first_wins ? 1 : 2, prompt_of(winner, 0), winner, 0, 20, true);
            lost.complete(first_wins ? 2 : 1, prompt_of(loser, 0), loser, 0, said_by_loser, false);
            const std::string text = text_of(winner, 0, 20);
            const auto judge = [&](const std::string& of_client) {
                return compare_answers({first.frames, second.frames}, {finished_record(of_client)});
            };
            const auto result = judge(text);
            EXPECT_TRUE(result.clean()) << findings_of(result);
            EXPECT_EQ(result.tokens.delivered, 21U);
            EXPECT_FALSE(judge(text_of(winner, 0, 12)).clean()) << "cut short";
            EXPECT_FALSE(judge(text + text_of(winner, 5, 20)).clean()) << "said twice";
            if (said_by_loser > 0) {
                EXPECT_FALSE(judge(text_of(loser, 0, said_by_loser) + text).clean()) << "of both";
            }
        }
    }
}

TEST(AnswerComparison, FindsAWrongCountOfTokens) {
    FakeTap tap;
    const auto answer = make_answer(20);
    tap.complete(1, prompt_of(answer, 0), answer, 0, 20, true);
    AnswerRecord record = finished_record(text_of(answer, 0, 20));
    record.usage = ReportedUsage{7, 21};
    EXPECT_TRUE(compare_answers({tap.frames}, {record}).clean());
    record.usage = ReportedUsage{7, 20};
    EXPECT_EQ(compare_answers({tap.frames}, {record}).usage_differs, 1U);
}

TEST(AnswerComparison, AsksOnlyForABeginningOfABrokenAnswer) {
    const TwoCars cars(prompt_of(make_answer(20), 9));
    const auto some = cars.judge(broken_record(text_of(cars.answer, 0, 15)));
    EXPECT_TRUE(some.clean()) << findings_of(some);
    EXPECT_EQ(some.tokens.delivered, 15U);
    EXPECT_EQ(some.answers_finished, 0U);
    const auto hole =
        cars.judge(broken_record(text_of(cars.answer, 0, 3) + text_of(cars.answer, 4, 15)));
    EXPECT_EQ(hole.tokens.lost, 1U) << findings_of(hole);
    EXPECT_EQ(hole.tokens.delivered, 14U);
    EXPECT_TRUE(cars.judge(broken_record("")).clean());
}

TEST(AnswerComparison, KnowsThatATornTapGaveNothingMore) {
    const auto answer = make_answer(20);
    FakeTap first;
    first.complete(1, prompt_of(answer, 0), answer, 0, 12, false);
    // The agent died while it read: the tap ends anywhere.
    for (std::size_t keep = 0; keep < first.frames.size(); ++keep) {
        std::vector<TapFrame> torn(first.frames.begin(),
                                   first.frames.begin() + static_cast<std::ptrdiff_t>(keep));
        FakeTap second;
        second.complete(2, prompt_of(answer, 0), answer, 0, 20, true);
        const auto result =
            compare_answers({torn, second.frames}, {finished_record(text_of(answer, 0, 20))});
        ASSERT_TRUE(result.clean()) << keep << ": " << findings_of(result);
        ASSERT_EQ(result.tokens.delivered, 21U);
    }
    // It cannot have said more than its tap holds.
    std::vector<TapFrame> torn(first.frames.begin(), first.frames.begin() + 6);
    FakeTap second;
    second.complete(2, prompt_of(answer, 9), answer, 9, 20, true);
    EXPECT_FALSE(
        compare_answers({torn, second.frames}, {finished_record(text_of(answer, 0, 20))}).clean());
}

TEST(AnswerComparison, UnderstandsTextAndTokensWithoutIds) {
    // Four tokens became one character and one event, which names the last id alone.
    const std::string smile = "😀";
    FakeTap first;
    first.exchange(1, request("/completion", {{"prompt", question}, {"stream", true}}),
                   stream_head + event("a", {10}, 1, false) + event(smile, {14}, 5, false) +
                       event("b", {15}, 6, false));
    const auto with = [&](const std::vector<Json>& answer_so_far) {
        FakeTap second;
        Json prompt = question_ids;
        for (const Json& part : answer_so_far)
            prompt.push_back(part);
        second.exchange(
            2, request("/completion", {{"prompt", prompt}, {"stream", true}}),
            stream_head + event("c", {16}, 1, false) + event("", {}, 2, true) + "0\r\n\r\n");
        return compare_answers({first.frames, second.frames},
                               {finished_record("a" + smile + "bc")});
    };
    const auto by_text = with({10, smile + "b"});
    EXPECT_TRUE(by_text.clean()) << findings_of(by_text);
    EXPECT_EQ(by_text.tokens.delivered, 8U);
    EXPECT_TRUE(with({10, 11, 12, 13, 14, 15}).clean());
    EXPECT_TRUE(with({10, smile, 15}).clean());
    EXPECT_FALSE(with({10, 11, 12, 13, 99, 15}).clean());
    EXPECT_FALSE(with({10, 12, 13, 14, 15}).clean());
    EXPECT_FALSE(with({10, "😂b"}).clean());
}

TEST(AnswerComparison, KnowsTheQuestionFromTheAnswer) {
    const auto answer = make_answer(6);
    FakeTap first, second;
    first.complete(1, prompt_of(answer, 0), answer, 0, 3, false);
    second.complete(2, prompt_of(answer, 2), answer, 2, 4, false);
    Json other = prompt_of(answer, 3);
    const auto judge = [&](const Json& prompt) {
        FakeTap last;
        last.complete(3, prompt, answer, 3, 6, true);
        return compare_answers({first.frames, second.frames, last.frames},
                               {finished_record(text_of(answer, 0, 6))});
    };
    EXPECT_TRUE(judge(other).clean());
    other[1] = 99;  // another question
    EXPECT_EQ(judge(other).unreadable, 1U);
    EXPECT_EQ(judge(Json::array({"Another question."})).unreadable, 1U);
}

TEST(AnswerComparison, SaysWhenItCannotJudge) {
    FakeTap tap;
    tap.exchange(1, request("/completion", {{"prompt", {1, 2}}, {"stream", true}}),
                 stream_head + event("a", {1}, 1, false));
    const auto result = compare_answers({tap.frames}, {finished_record("a")});
    EXPECT_EQ(result.unreadable, 1U);
    EXPECT_FALSE(result.clean());
}

// What happens to one random answer: cars die at any moment, prompts go on behind any token that
// the gateway had received, the client has what was received.
struct Story {
    std::vector<Token> answer;
    std::vector<std::vector<TapFrame>> taps;
    std::vector<std::size_t> client;  // places in the answer, in the order in which they came
};

Story random_story(base::Prng& prng) {
    Story story;
    story.answer = make_answer(10 + prng.below(40));
    std::size_t received = 0;
    for (std::uint32_t attempt = 1; received < story.answer.size(); ++attempt) {
        FakeTap tap(prng.next());
        const bool last = attempt > 5 || prng.chance(0.3);
        const std::size_t said =
            last ? story.answer.size() : received + prng.below(story.answer.size() - received);
        tap.complete(attempt, prompt_of(story.answer, received), story.answer, received, said,
                     last);
        const std::size_t before = received;
        received = last ? said : received + prng.below(said - received + 1);
        for (std::size_t i = before; i < received; ++i)
            story.client.push_back(i);
        story.taps.push_back(std::move(tap.frames));
    }
    return story;
}

std::string client_text(const Story& story) {
    std::string text;
    for (const std::size_t place : story.client)
        text += story.answer[place].text;
    return text;
}

TEST(AnswerComparison, JudgesRandomStoriesRightly) {
    base::Prng prng(7);
    for (int round = 0; round < 300; ++round) {
        Story story = random_story(prng);
        const auto fair = compare_answers(story.taps, {finished_record(client_text(story))});
        ASSERT_TRUE(fair.clean()) << round << ": " << findings_of(fair);
        ASSERT_EQ(fair.tokens.delivered, story.answer.size() + 1);

        Story robbed = story;
        const auto at = static_cast<std::ptrdiff_t>(prng.below(robbed.client.size()));
        const auto count = static_cast<std::ptrdiff_t>(
            1 + prng.below(std::min<std::size_t>(3, robbed.client.size() - at)));
        robbed.client.erase(robbed.client.begin() + at, robbed.client.begin() + at + count);
        const auto lost = compare_answers(robbed.taps, {finished_record(client_text(robbed))});
        ASSERT_EQ(lost.tokens.lost, static_cast<std::uint64_t>(count)) << round;
        ASSERT_EQ(lost.tokens.duplicated, 0U) << round;

        Story twice = story;
        const std::vector<std::size_t> again(twice.client.begin() + at,
                                             twice.client.begin() + at + count);
        twice.client.insert(twice.client.begin() + at, again.begin(), again.end());
        const auto duplicated = compare_answers(twice.taps, {finished_record(client_text(twice))});
        ASSERT_EQ(duplicated.tokens.duplicated, static_cast<std::uint64_t>(count)) << round;
        ASSERT_EQ(duplicated.tokens.lost, 0U) << round;
    }
}

TEST(AnswerComparison, LivesThroughDamagedTaps) {
    base::Prng prng(11);
    for (int round = 0; round < 300; ++round) {
        Story story = random_story(prng);
        for (auto& tap : story.taps) {
            for (TapFrame& frame : tap) {
                if (!frame.data.empty() && prng.chance(0.1))
                    frame.data[prng.below(frame.data.size())] = static_cast<char>(prng.below(256));
            }
        }
        const auto result = compare_answers(story.taps, {finished_record(client_text(story))});
        EXPECT_EQ(result.answers, 1U);
    }
}

}  // namespace
}  // namespace idlewatt::cli
