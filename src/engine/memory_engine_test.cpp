// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/memory_engine.hpp"

#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "base/simulated_loop.hpp"

namespace idlewatt::engine {
namespace {

const std::string request = R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":60})";

struct TwinAnswer {
    std::vector<core::Piece> pieces;
    std::optional<StreamEnd> end;
    core::ResumePoint resume;

    [[nodiscard]] std::string text() const {
        std::string all;
        for (const auto& piece : pieces)
            all += piece.text;
        return all;
    }
};

class MemoryEngineTest : public ::testing::Test {
protected:
    base::SimulatedLoop loop;
    MemoryEngineOptions options;
    std::unique_ptr<MemoryEngine> engine;
    std::vector<Condition> conditions;

    void start() {
        engine = std::make_unique<MemoryEngine>(loop, options);
        engine->on_status([this](const Status& status) { conditions.push_back(status.condition); });
        engine->start();
        loop.run_for(base::seconds(1));
    }

    StreamId ask(TwinAnswer& answer, const std::string& json = request,
                 core::ResumePoint resume = {}) {
        answer.resume = resume;
        StreamHandler handler;
        handler.on_piece = [&answer](core::Piece piece) {
            EXPECT_FALSE(answer.end.has_value());
            answer.resume.append(piece.ids, piece.text, piece.token_count);
            answer.pieces.push_back(std::move(piece));
        };
        handler.on_end = [&answer](StreamEnd end) {
            EXPECT_FALSE(answer.end.has_value());
            answer.end = std::move(end);
        };
        return engine->generate({json, std::move(resume), "label"}, std::move(handler));
    }
    bool finish(const TwinAnswer& answer) {
        return loop.run_while_not([&] { return answer.end.has_value(); }, base::minutes(10));
    }
};

TEST_F(MemoryEngineTest, SaysItsAnswerAndNothingElse) {
    start();
    EXPECT_EQ(conditions, (std::vector{Condition::starting, Condition::ready}));
    TwinAnswer answer;
    ask(answer);
    EXPECT_TRUE(answer.pieces.empty());
    ASSERT_TRUE(finish(answer));
    EXPECT_EQ(answer.text(), memory_answer(request));
    EXPECT_EQ(answer.resume.tokens, 60U);
    EXPECT_EQ(answer.end->kind, StreamEnd::Kind::finished);
    EXPECT_EQ(answer.end->finished.reason, core::FinishReason::length);
    EXPECT_EQ(answer.end->finished.generated_tokens, 60U);
}

TEST_F(MemoryEngineTest, AnAnswerWithoutLimitStopsByItself) {
    start();
    TwinAnswer answer;
    ask(answer, R"({"messages":[]})");
    ASSERT_TRUE(finish(answer));
    EXPECT_EQ(answer.text(), memory_answer(R"({"messages":[]})"));
    EXPECT_EQ(answer.end->finished.reason, core::FinishReason::stop);
    EXPECT_EQ(answer.end->finished.generated_tokens, answer.resume.tokens + 1);
}

TEST_F(MemoryEngineTest, AResumedAnswerGoesOnFromEveryPiece) {
    start();
    TwinAnswer whole;
    ask(whole);
    ASSERT_TRUE(finish(whole));
    core::ResumePoint resume;
    std::string said;
    for (const core::Piece& piece : whole.pieces) {
        TwinAnswer rest;
        ask(rest, request, resume);
        ASSERT_TRUE(finish(rest));
        EXPECT_EQ(said + rest.text(), whole.text());
        EXPECT_EQ(rest.resume.tokens, 60U);
        resume.append(piece.ids, piece.text, piece.token_count);
        said += piece.text;
    }
}

TEST_F(MemoryEngineTest, AnAnswerResumedFromTheWrongPlaceIsNotTheRightOne) {
    start();
    core::ResumePoint wrong;
    wrong.append({memory_token_id(request, 1)}, memory_token_text(request, 1), 1);
    TwinAnswer rest;
    ask(rest, request, wrong);
    ASSERT_TRUE(finish(rest));
    EXPECT_FALSE(memory_answer(request).ends_with(rest.text()));
}

TEST_F(MemoryEngineTest, ResumedAtItsEndItFinishesAtOnce) {
    start();
    TwinAnswer whole;
    ask(whole);
    ASSERT_TRUE(finish(whole));
    TwinAnswer rest;
    ask(rest, request, whole.resume);
    ASSERT_TRUE(finish(rest));
    EXPECT_TRUE(rest.pieces.empty());
    EXPECT_EQ(rest.end->finished.reason, core::FinishReason::length);
    EXPECT_EQ(rest.end->finished.generated_tokens, 0U);
}

TEST_F(MemoryEngineTest, ACrashEndsStreamsAndItComesBack) {
    start();
    TwinAnswer answer;
    ask(answer);
    loop.run_for(base::milliseconds(200));
    EXPECT_FALSE(answer.pieces.empty());
    engine->crash();
    EXPECT_FALSE(answer.end.has_value());
    ASSERT_TRUE(finish(answer));
    EXPECT_EQ(answer.end->kind, StreamEnd::Kind::engine_failed);
    EXPECT_TRUE(memory_answer(request).starts_with(answer.text()));
    loop.run_for(options.load_time);
    EXPECT_EQ(conditions, (std::vector{Condition::starting, Condition::ready, Condition::failed,
                                       Condition::starting, Condition::ready}));
}

TEST_F(MemoryEngineTest, AStallIsSilenceThenAHang) {
    start();
    TwinAnswer answer;
    ask(answer);
    loop.run_for(base::milliseconds(200));
    const std::size_t before = answer.pieces.size();
    engine->set_stalled(true);
    loop.run_for(base::milliseconds(1000));
    EXPECT_EQ(answer.pieces.size(), before);
    engine->set_stalled(false);  // in time: it goes on
    loop.run_for(base::milliseconds(100));
    EXPECT_GT(answer.pieces.size(), before);
    engine->set_stalled(true);
    ASSERT_TRUE(finish(answer));
    EXPECT_EQ(answer.end->kind, StreamEnd::Kind::engine_failed);
    loop.run_for(options.load_time);
    ASSERT_EQ(conditions.size(), 5U);
    EXPECT_EQ(conditions[2], Condition::failed);
}

TEST_F(MemoryEngineTest, ItLiesAndRefusesWhenTold) {
    start();
    engine->set_lying(true);
    TwinAnswer lie;
    ask(lie);
    ASSERT_TRUE(finish(lie));
    EXPECT_NE(lie.text(), memory_answer(request));
    engine->reject_next({400, "no"});
    TwinAnswer refused;
    ask(refused);
    ASSERT_TRUE(finish(refused));
    EXPECT_EQ(refused.end->kind, StreamEnd::Kind::rejected);
    EXPECT_EQ(refused.end->rejected.message, "no");
    TwinAnswer garbage;
    ask(garbage, "[1");
    ASSERT_TRUE(finish(garbage));
    EXPECT_EQ(garbage.end->kind, StreamEnd::Kind::rejected);
}

TEST_F(MemoryEngineTest, StreamsBeyondTheSlotsWait) {
    start();
    TwinAnswer first;
    TwinAnswer second;
    TwinAnswer third;
    const StreamId one = ask(first);
    ask(second);
    ask(third);
    loop.run_for(base::milliseconds(300));
    EXPECT_FALSE(first.pieces.empty());
    EXPECT_FALSE(second.pieces.empty());
    EXPECT_TRUE(third.pieces.empty());
    engine->cancel(one);
    const std::size_t said = first.pieces.size();
    loop.run_for(base::milliseconds(300));
    EXPECT_FALSE(third.pieces.empty());
    EXPECT_EQ(first.pieces.size(), said);
    EXPECT_FALSE(first.end.has_value());
}

TEST_F(MemoryEngineTest, APausedStreamLosesNothing) {
    start();
    TwinAnswer answer;
    const StreamId id = ask(answer);
    loop.run_for(base::milliseconds(200));
    engine->set_paused(id, true);
    const std::size_t said = answer.pieces.size();
    loop.run_for(base::seconds(5));
    EXPECT_EQ(answer.pieces.size(), said);
    engine->set_paused(id, false);
    ASSERT_TRUE(finish(answer));
    EXPECT_EQ(answer.text(), memory_answer(request));
}

TEST_F(MemoryEngineTest, KillEndsEverythingAndSaysWhenItIsGone) {
    start();
    TwinAnswer answer;
    ask(answer);
    loop.run_for(base::milliseconds(200));
    const std::size_t said = answer.pieces.size();
    int gone = 0;
    engine->kill([&] { ++gone; });
    engine->kill([&] { ++gone; });
    EXPECT_EQ(gone, 0);
    engine->start();  // as soon as it is gone
    loop.run_for(base::seconds(1));
    EXPECT_EQ(gone, 2);
    EXPECT_EQ(answer.pieces.size(), said);
    ASSERT_TRUE(answer.end.has_value());
    EXPECT_EQ(answer.end->kind, StreamEnd::Kind::engine_failed);
    EXPECT_EQ(conditions, (std::vector{Condition::starting, Condition::ready, Condition::idle,
                                       Condition::starting, Condition::ready}));
}

TEST_F(MemoryEngineTest, ARequestWhenNotReadyFails) {
    engine = std::make_unique<MemoryEngine>(loop, options);
    TwinAnswer answer;
    ask(answer);
    ASSERT_TRUE(finish(answer));
    EXPECT_EQ(answer.end->kind, StreamEnd::Kind::engine_failed);
}

TEST_F(MemoryEngineTest, ADestroyedEngineSaysNothingMore) {
    start();
    TwinAnswer answer;
    ask(answer);
    engine->crash();
    engine.reset();
    loop.run_for(base::seconds(5));
    EXPECT_TRUE(answer.pieces.empty());
    EXPECT_FALSE(answer.end.has_value());
}

// Any order of calls: one end per stream that was not cancelled, and no engine that stays away.
TEST_F(MemoryEngineTest, SurvivesRandomTreatment) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        base::Prng prng(seed);
        start();
        std::vector<std::unique_ptr<TwinAnswer>> answers;
        std::vector<StreamId> ids;
        std::vector<bool> cancelled;
        for (int step = 0; step < 200; ++step) {
            switch (prng.below(8)) {
                case 0:
                    engine->crash();
                    break;
                case 1:
                    engine->kill(nullptr);
                    break;
                case 2:
                    engine->start();
                    break;
                case 3:
                    engine->set_stalled(prng.chance(0.5));
                    break;
                case 4:
                    if (!ids.empty()) {
                        const auto which = prng.below(ids.size());
                        if (!answers[which]->end)
                            cancelled[which] = true;
                        engine->cancel(ids[which]);
                    }
                    break;
                case 5:
                    if (!ids.empty()) {
                        engine->set_paused(ids[prng.below(ids.size())], prng.chance(0.5));
                    }
                    break;
                default:
                    answers.push_back(std::make_unique<TwinAnswer>());
                    ids.push_back(ask(*answers.back()));
                    cancelled.push_back(false);
            }
            loop.run_for(base::milliseconds(static_cast<std::int64_t>(prng.below(100))));
        }
        engine->start();
        for (const StreamId id : ids)
            engine->set_paused(id, false);
        loop.run_for(base::minutes(10));
        EXPECT_EQ(conditions.back(), Condition::ready) << seed;
        for (std::size_t i = 0; i < answers.size(); ++i) {
            EXPECT_EQ(answers[i]->end.has_value(), !cancelled[i]) << seed << " " << i;
            EXPECT_TRUE(memory_answer(request).starts_with(answers[i]->text())) << seed;
        }
        engine.reset();
    }
}

}  // namespace
}  // namespace idlewatt::engine
