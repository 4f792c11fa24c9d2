// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What every engine owes its owner, asked of the real one and of its twin alike.
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "engine/engine_subject_test.hpp"

namespace idlewatt::engine {
namespace {

constexpr std::uint32_t slots = 2;

class EngineConformance : public ::testing::TestWithParam<MakeSubject> {
protected:
    std::unique_ptr<Subject> subject = GetParam()();
    std::vector<Status> statuses;

    EngineConformance() {
        subject->engine().on_status([this](const Status& status) { statuses.push_back(status); });
    }

    [[nodiscard]] Condition condition() const {
        return statuses.empty() ? Condition::idle : statuses.back().condition;
    }
    bool wait_for(Condition wanted) {
        return subject->run_until([&] { return condition() == wanted; }, subject_patience);
    }
    void start() {
        subject->engine().start();
        ASSERT_TRUE(wait_for(Condition::ready)) << statuses.back().failure;
    }
    StreamId ask(Answer& answer, std::uint32_t max_tokens, core::ResumePoint resume = {}) {
        return subject->engine().generate(
            {greedy_request(max_tokens), std::move(resume), "conformance"}, answer.handler());
    }
    bool finish(const Answer& answer) {
        return subject->run_until([&] { return answer.end.has_value(); }, subject_patience);
    }
    void pass(base::Duration time) {
        subject->run_until([] { return false; }, time);
    }
};

TEST_P(EngineConformance, AnswersWithCountedTokens) {
    start();
    EXPECT_EQ(statuses.back().ready.slots, slots);
    EXPECT_GE(statuses.back().ready.context_tokens, 2048U);
    EXPECT_FALSE(statuses.back().ready.model.empty());
    Answer answer;
    ask(answer, 40);
    ASSERT_TRUE(finish(answer));
    ASSERT_EQ(answer.end->kind, StreamEnd::Kind::finished) << answer.end->failure;
    EXPECT_EQ(answer.end->finished.reason, core::FinishReason::length);
    EXPECT_EQ(answer.end->finished.generated_tokens, 40U);
    EXPECT_GT(answer.end->finished.prompt_tokens, 0U);
    EXPECT_EQ(answer.resume.tokens, 40U);
    EXPECT_FALSE(answer.text.empty());
    for (const core::Piece& piece : answer.pieces)
        EXPECT_EQ(piece.prompt_tokens, answer.end->finished.prompt_tokens);
}

TEST_P(EngineConformance, AResumedAnswerIsTheUndisturbedOne) {
    start();
    Answer whole;
    ask(whole, 40);
    ASSERT_TRUE(finish(whole));
    core::ResumePoint resume;
    std::string said;
    for (std::size_t cut = 0; cut < whole.pieces.size(); ++cut) {
        if (cut % 5 == 0) {
            Answer rest;
            ask(rest, 40, resume);
            ASSERT_TRUE(finish(rest));
            ASSERT_EQ(rest.end->kind, StreamEnd::Kind::finished) << rest.end->failure;
            EXPECT_EQ(said + rest.text, whole.text) << "cut " << cut;
            EXPECT_EQ(rest.end->finished.generated_tokens, 40U - resume.tokens);
            EXPECT_EQ(rest.end->finished.prompt_tokens, whole.end->finished.prompt_tokens);
            for (const core::Piece& piece : rest.pieces)
                EXPECT_EQ(piece.prompt_tokens, whole.end->finished.prompt_tokens);
        }
        const core::Piece& piece = whole.pieces[cut];
        resume.append(piece.ids, piece.text, piece.token_count);
        said += piece.text;
    }
    Answer nothing;
    ask(nothing, 40, resume);
    ASSERT_TRUE(finish(nothing));
    EXPECT_TRUE(nothing.pieces.empty());
    EXPECT_EQ(nothing.end->finished.reason, core::FinishReason::length);
    EXPECT_EQ(nothing.end->finished.generated_tokens, 0U);
}

TEST_P(EngineConformance, WhatIsNoRequestIsRejected) {
    start();
    for (const char* garbage :
         {"", "[]", "{\"messages\":[{\"role\"", R"({"messages":[],"max_tokens":"x"})"}) {
        Answer answer;
        subject->engine().generate({garbage, {}, ""}, answer.handler());
        ASSERT_TRUE(finish(answer)) << garbage;
        EXPECT_EQ(answer.end->kind, StreamEnd::Kind::rejected) << garbage;
        EXPECT_EQ(answer.end->rejected.http_status, 400U);
        EXPECT_FALSE(answer.end->rejected.message.empty());
    }
}

TEST_P(EngineConformance, ACancelledStreamIsSilentAndFreesItsSlot) {
    start();
    Answer cancelled[slots];
    for (Answer& answer : cancelled) {
        const StreamId id = ask(answer, 2000);
        ASSERT_TRUE(subject->run_until([&] { return !answer.pieces.empty(); }, subject_patience));
        subject->engine().cancel(id);
        subject->engine().cancel(id);  // no effect
    }
    std::size_t said = 0;
    for (const Answer& answer : cancelled)
        said += answer.pieces.size();
    Answer next;
    ask(next, 20);
    ASSERT_TRUE(finish(next));
    EXPECT_EQ(next.end->kind, StreamEnd::Kind::finished);
    for (const Answer& answer : cancelled) {
        said -= answer.pieces.size();
        EXPECT_FALSE(answer.end.has_value());
    }
    EXPECT_EQ(said, 0U);
}

TEST_P(EngineConformance, APausedStreamDeliversNothingAndLosesNothing) {
    start();
    Answer reference;
    ask(reference, 60);
    ASSERT_TRUE(finish(reference));
    Answer answer;
    StreamId id{};
    answer.delivered = [&] { subject->engine().set_paused(id, answer.pieces.size() == 3); };
    id = ask(answer, 60);
    ASSERT_TRUE(subject->run_until([&] { return answer.pieces.size() >= 3; }, subject_patience));
    pass(base::milliseconds(300));
    EXPECT_EQ(answer.pieces.size(), 3U);
    EXPECT_FALSE(answer.end.has_value());
    subject->engine().set_paused(id, false);
    ASSERT_TRUE(finish(answer));
    EXPECT_EQ(answer.text, reference.text);
}

TEST_P(EngineConformance, MoreStreamsThanSlotsAllFinish) {
    start();
    std::vector<std::unique_ptr<Answer>> answers;
    for (int i = 0; i < 7; ++i) {
        answers.push_back(std::make_unique<Answer>());
        ask(*answers.back(), 20);
    }
    for (const auto& answer : answers) {
        ASSERT_TRUE(finish(*answer));
        EXPECT_EQ(answer->end->kind, StreamEnd::Kind::finished);
        EXPECT_EQ(answer->text, answers.front()->text);
    }
}

TEST_P(EngineConformance, KillEndsStreamsAndItCanStartAgain) {
    start();
    Answer answer;
    ask(answer, 2000);
    ASSERT_TRUE(subject->run_until([&] { return !answer.pieces.empty(); }, subject_patience));
    const std::size_t said = answer.pieces.size();
    bool gone = false;
    subject->engine().kill([&] { gone = true; });
    EXPECT_FALSE(gone);
    ASSERT_TRUE(subject->run_until([&] { return gone; }, subject_patience));
    ASSERT_TRUE(finish(answer));
    EXPECT_EQ(answer.end->kind, StreamEnd::Kind::engine_failed);
    EXPECT_EQ(answer.pieces.size(), said);
    ASSERT_TRUE(wait_for(Condition::idle));
    start();
    Answer next;
    ask(next, 20);
    ASSERT_TRUE(finish(next));
    EXPECT_EQ(next.end->kind, StreamEnd::Kind::finished);
}

TEST_P(EngineConformance, KillWhileItStartsAndWhenNothingRuns) {
    int gone = 0;
    subject->engine().kill([&] { ++gone; });
    ASSERT_TRUE(subject->run_until([&] { return gone == 1; }, subject_patience));
    for (int i = 0; i < 5; ++i) {
        subject->engine().start();
        pass(base::milliseconds(i * 10));
        subject->engine().kill([&] { ++gone; });
        subject->engine().kill([&] { ++gone; });
        ASSERT_TRUE(subject->run_until([&] { return gone == 3 + 2 * i; }, subject_patience));
    }
    start();
}

TEST_P(EngineConformance, ARequestWhenNotReadyFails) {
    Answer answer;
    ask(answer, 20);
    EXPECT_FALSE(answer.end.has_value());
    ASSERT_TRUE(finish(answer));
    EXPECT_EQ(answer.end->kind, StreamEnd::Kind::engine_failed);
    EXPECT_FALSE(answer.end->failure.empty());
}

TEST_P(EngineConformance, CpuTimeGrowsWithWork) {
    EXPECT_EQ(subject->engine().cpu_time(), base::Duration{});
    start();
    const base::Duration before = subject->engine().cpu_time();
    Answer answer;
    ask(answer, 100);
    ASSERT_TRUE(finish(answer));
    EXPECT_GT(subject->engine().cpu_time(), before);
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineConformance,
                         ::testing::Values([] { return std::make_unique<MemorySubject>(); },
                                           [] { return std::make_unique<LlamaServerSubject>(); }),
                         [](const auto& instance) {
                             return instance.index == 0 ? "Memory" : "LlamaServer";
                         });

}  // namespace
}  // namespace idlewatt::engine
