// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The agent's mind without a body: events in, effects out.
#include "agent/agent_core.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "agent/effects_test.hpp"

namespace idlewatt::agent {
namespace {

using core::SignalId;

core::OwnerSettings settings() {
    core::OwnerSettings settings;
    settings.consent = true;
    settings.reentry_delay = base::seconds(1);
    settings.drain_dwell = base::seconds(1);
    return settings;
}

// The numbered messages of one kind.
template <class T>
std::vector<std::uint64_t> numbers_of(const Effects& effects) {
    std::vector<std::uint64_t> found;
    for (const core::Numbered& numbered : said<core::Numbered>(effects)) {
        if (std::holds_alternative<T>(numbered.content))
            found.push_back(numbered.sequence);
    }
    return found;
}

class AgentCoreTest : public ::testing::Test {
protected:
    Effects feed(const Event& event) {
        Effects effects = core.handle(event, now, wall + (now - base::Instant{}));
        everything.insert(everything.end(), effects.begin(), effects.end());
        return effects;
    }

    Effects signal(SignalId id, double value) {
        return feed(SignalRead{id, {value, wall + (now - base::Instant{}), now}});
    }

    void all_signals() {
        signal(SignalId::occupied, occupied);
        signal(SignalId::parked, 1);
        signal(SignalId::moving, 0);
        signal(SignalId::plugged_in, 1);
        signal(SignalId::locked, 1);
        signal(SignalId::state_of_charge_percent, charge);
    }

    // Time passes as in a car that is well: ticks, and signals twice a second.
    Effects pass(base::Duration span) {
        everything.clear();
        const base::Instant end = now + span;
        for (int i = 0; now < end; ++i) {
            now = now + tick_period;
            if (i % 10 == 0)
                all_signals();
            feed(Tick{});
        }
        return everything;
    }

    void ready(std::uint32_t slots = 2) {
        feed(BusChanged{true});
        all_signals();
        engine::Status status;
        status.condition = engine::Condition::ready;
        status.ready = {"m", slots, 4096};
        feed(EngineChanged{status});
        ASSERT_EQ(core.announced_reason(), core::Reason::ok);
    }

    Effects open(const std::string& id) {
        return feed(Heard{core::AttemptId(id), core::Open{core::GatewayId("g"), 1, 4, "work"}});
    }

    void run(const std::string& id) {
        ASSERT_EQ(all<DecodeWork>(open(id)).size(), 1u);
        const Effects effects = feed(
            WorkDecoded{core::AttemptId(id), core::Work{core::WorkId("w-" + id), "m", "{}", {}}});
        ASSERT_EQ(all<Generate>(effects).size(), 1u);
        ASSERT_EQ(all<KeepDraft>(effects).size(), 1u);
        // The engine is asked before anything that can wait.
        const auto is_asked = [](const Effect& e) { return std::holds_alternative<Generate>(e); };
        const auto is_kept = [](const Effect& e) { return std::holds_alternative<KeepDraft>(e); };
        EXPECT_LT(std::ranges::find_if(effects, is_asked), std::ranges::find_if(effects, is_kept));
    }

    Effects piece(const std::string& id) {
        return feed(PieceMade{core::AttemptId(id), {{7}, "t", 1}});
    }
    Effects hear(const std::string& id, core::ToCar message) {
        return feed(Heard{core::AttemptId(id), std::move(message)});
    }
    Effects finish(const std::string& id, std::uint32_t tokens) {
        engine::StreamEnd end;
        end.kind = engine::StreamEnd::Kind::finished;
        end.finished.generated_tokens = tokens;
        return feed(StreamEnded{core::AttemptId(id), end});
    }

    base::Instant now{};
    base::WallTime wall{1'790'000'000'000'000};
    double occupied = 0;
    double charge = 80;
    AgentCore core{{core::VehicleId("car"), core::Incarnation(1), "m", settings()}, now};
    Effects everything;
};

TEST_F(AgentCoreTest, StartsTheEngineOnlyWhenEverySignalAllowsIt) {
    feed(BusChanged{true});
    EXPECT_TRUE(all<StartEngine>(signal(SignalId::occupied, 0)).empty());
    signal(SignalId::parked, 1);
    signal(SignalId::moving, 0);
    signal(SignalId::plugged_in, 1);
    EXPECT_TRUE(all<StartEngine>(signal(SignalId::locked, 1)).empty());
    EXPECT_EQ(all<StartEngine>(signal(SignalId::state_of_charge_percent, 80)).size(), 1u);
}

TEST_F(AgentCoreTest, SaysThatASenselessChargeIsUnknown) {
    ready();
    for (const double senseless : {150.0, -5.0, std::nan("")}) {
        charge = senseless;
        const auto said = all<Announce>(pass(base::seconds(2)));
        ASSERT_FALSE(said.empty());
        EXPECT_FALSE(said.back().announcement.state_of_charge_percent) << senseless;
    }
}

TEST_F(AgentCoreTest, KillsTheEngineBeforeAnyWordWhenTheOwnerReturns) {
    ready();
    run("a");
    piece("a");
    const Effects effects = signal(SignalId::occupied, 1);
    ASSERT_FALSE(effects.empty());
    EXPECT_TRUE(std::holds_alternative<KillEngine>(effects.front()));
    EXPECT_EQ(numbers_of<core::Yielded>(effects), std::vector<std::uint64_t>{2});
    EXPECT_TRUE(said<core::Numbered>(piece("a")).empty()) << "a token after the recall";
    const Effects closing = hear("a", core::Ack{2});
    ASSERT_EQ(all<CloseReceipt>(closing).size(), 1u);
    EXPECT_EQ(all<CloseReceipt>(closing)[0].receipt.end, core::AttemptEnd::recalled);
    EXPECT_EQ(all<CloseReceipt>(closing)[0].receipt.acknowledged_tokens, 1u);
}

// People see this number beside the reason for which the car stands still.
TEST_F(AgentCoreTest, SaysNoSpeedOnceItsEngineIsGone) {
    ready();
    run("a");
    for (int i = 0; i < 300; ++i)
        piece("a");
    const auto working = all<Announce>(pass(base::milliseconds(1100)));
    ASSERT_FALSE(working.empty());
    EXPECT_GT(working.back().announcement.tokens_per_second, 50.0);
    occupied = 1;
    signal(SignalId::occupied, 1);
    engine::Status gone;
    gone.condition = engine::Condition::idle;
    feed(EngineChanged{gone});
    feed(EngineGone{});
    const auto stopped = all<Announce>(pass(base::milliseconds(1100)));
    ASSERT_FALSE(stopped.empty());
    EXPECT_EQ(stopped.back().announcement.tokens_per_second, 0.0);
}

TEST_F(AgentCoreTest, AnnouncesATakenSlotWithTheNextTickIfItIsStillTaken) {
    ready();
    run("a");
    const auto taken = all<Announce>(pass(tick_period));
    ASSERT_EQ(taken.size(), 1u);
    EXPECT_EQ(taken[0].announcement.slots_free, 1u);
    EXPECT_EQ(all<Announce>(finish("a", 0)).at(0).announcement.slots_free, 2u);
    hear("a", core::Ack{1});
    EXPECT_TRUE(all<Announce>(open("b")).empty());
    feed(WorkDecoded{core::AttemptId("b"), core::Work{core::WorkId("w-b"), "m", "{}", {}}});
    EXPECT_TRUE(all<Announce>(finish("b", 0)).empty()) << "nobody was told that it was taken";
}

// A gateway that was refused takes the car for a full one until it hears from it.
TEST_F(AgentCoreTest, ARefusalForWantOfSlotsIsFollowedByAnAnnouncement) {
    ready();
    for (std::uint32_t i = 0; i < 2; ++i)
        run("a" + std::to_string(i));
    ASSERT_TRUE(all<DecodeWork>(open("b")).empty());
    const auto ended = all<Announce>(finish("a0", 0));
    ASSERT_EQ(ended.size(), 1u);
    EXPECT_EQ(ended[0].announcement.slots_free, 1u);
    ASSERT_TRUE(all<DecodeWork>(open("c")).size() == 1);
    ASSERT_TRUE(all<DecodeWork>(open("d")).empty());
    EXPECT_EQ(all<Announce>(pass(tick_period)).size(), 1u);
}

TEST_F(AgentCoreTest, ReportsHowLongARecallTookAndComesBackAfterTheDelay) {
    ready();
    signal(SignalId::occupied, 1);
    now = now + base::milliseconds(3);
    const Effects gone = feed(EngineGone{});
    ASSERT_EQ(all<ReportRecall>(gone).size(), 1u);
    EXPECT_EQ(all<ReportRecall>(gone)[0].took, base::milliseconds(3));
    EXPECT_TRUE(all<StartEngine>(gone).empty());
    EXPECT_TRUE(all<StartEngine>(pass(base::milliseconds(900))).empty());
    EXPECT_EQ(all<StartEngine>(pass(base::milliseconds(300))).size(), 1u);
}

TEST_F(AgentCoreTest, StopsTwoSecondsAfterTheLastAcknowledgement) {
    ready();
    run("a");
    piece("a");
    pass(base::milliseconds(1900));
    hear("a", core::Ack{1});
    EXPECT_TRUE(all<CancelStream>(pass(base::milliseconds(2000))).empty());
    const Effects effects = pass(base::milliseconds(100));
    EXPECT_EQ(all<CancelStream>(effects).size(), 1u);
    ASSERT_EQ(all<CloseReceipt>(effects).size(), 1u);
    EXPECT_EQ(all<CloseReceipt>(effects)[0].receipt.end, core::AttemptEnd::lease_expired);
    EXPECT_EQ(all<CloseReceipt>(effects)[0].receipt.acknowledged_tokens, 1u);
    EXPECT_EQ(core.open_attempts(), 0u);
}

TEST_F(AgentCoreTest, IgnoresARepeatedOpenAlsoAfterTheEnd) {
    ready();
    run("a");
    EXPECT_TRUE(all<DecodeWork>(open("a")).empty());
    EXPECT_EQ(core.open_attempts(), 1u);
    hear("a", core::Cancel{});
    EXPECT_EQ(core.open_attempts(), 0u);
    EXPECT_TRUE(open("a").empty());
    EXPECT_TRUE(hear("a", core::Ack{5}).empty());
}

TEST_F(AgentCoreTest, PausesTheEngineWhileTheWindowIsFull) {
    ready();
    run("a");
    for (std::uint32_t i = 1; i < core::window_messages; ++i)
        ASSERT_TRUE(all<PauseStream>(piece("a")).empty());
    const Effects full = piece("a");
    ASSERT_EQ(all<PauseStream>(full).size(), 1u);
    EXPECT_TRUE(all<PauseStream>(full)[0].paused);
    const Effects free = hear("a", core::Ack{1});
    ASSERT_EQ(all<PauseStream>(free).size(), 1u);
    EXPECT_FALSE(all<PauseStream>(free)[0].paused);
}

TEST_F(AgentCoreTest, DrainsLetsFinishThenHandsOver) {
    ready();
    run("a");
    piece("a");
    charge = 40;
    hear("a", core::Ack{1});
    EXPECT_TRUE(all<KillEngine>(signal(SignalId::state_of_charge_percent, charge)).empty());
    EXPECT_EQ(said<core::Refused>(open("b")).at(0).reason, core::Reason::charge_below_reserve);
    for (int second = 0; second < 9; ++second) {
        EXPECT_TRUE(all<CancelStream>(pass(base::seconds(1))).empty());
        hear("a", core::Ack{1});
    }
    const Effects effects = pass(base::milliseconds(1200));
    EXPECT_EQ(all<CancelStream>(effects).size(), 1u);
    EXPECT_EQ(numbers_of<core::Yielded>(effects), std::vector<std::uint64_t>{2});
    EXPECT_EQ(all<KillEngine>(effects).size(), 1u);
    const Effects closing = hear("a", core::Ack{2});
    EXPECT_EQ(all<CloseReceipt>(closing).at(0).receipt.end, core::AttemptEnd::drained);
}

TEST_F(AgentCoreTest, ForgetsItsAttemptsWhenItWakesUp) {
    ready();
    run("a");
    piece("a");
    now = now + base::milliseconds(1500);
    const Effects effects = piece("a");
    EXPECT_EQ(all<CancelStream>(effects).size(), 1u);
    ASSERT_EQ(all<CloseReceipt>(effects).size(), 1u);
    EXPECT_EQ(all<CloseReceipt>(effects)[0].receipt.end, core::AttemptEnd::lease_expired);
    EXPECT_TRUE(said<core::Numbered>(effects).empty());
}

TEST_F(AgentCoreTest, RefusesAsBusyWhenAllSlotsAreTaken) {
    ready(1);
    run("a");
    const auto refused = said<core::Refused>(open("b"));
    ASSERT_EQ(refused.size(), 1u);
    EXPECT_TRUE(refused[0].busy);
    finish("a", 0);
    EXPECT_EQ(all<DecodeWork>(open("c")).size(), 1u) << "an ended attempt holds no slot";
}

// A gateway that asks again has received what came before; its client need not have it.
TEST_F(AgentCoreTest, SendsAgainWithoutCountingItAsAcknowledged) {
    ready();
    run("a");
    for (int i = 0; i < 3; ++i)
        piece("a");
    const Effects effects = hear("a", core::Resend{2});
    EXPECT_EQ(numbers_of<core::Piece>(effects), (std::vector<std::uint64_t>{2, 3}));
    const Effects closing = hear("a", core::Cancel{});
    ASSERT_EQ(all<CloseReceipt>(closing).size(), 1u);
    EXPECT_EQ(all<CloseReceipt>(closing)[0].receipt.generated_tokens, 3u);
    EXPECT_EQ(all<CloseReceipt>(closing)[0].receipt.acknowledged_tokens, 0u);
}

TEST_F(AgentCoreTest, CountsSilentTokensWithTheLastAcknowledgement) {
    ready();
    run("a");
    piece("a");
    EXPECT_EQ(numbers_of<core::Finished>(finish("a", 2)), std::vector<std::uint64_t>{2});
    EXPECT_TRUE(all<CloseReceipt>(hear("a", core::Ack{1})).empty());
    const Effects closing = hear("a", core::Ack{2});
    ASSERT_EQ(all<CloseReceipt>(closing).size(), 1u);
    EXPECT_EQ(all<CloseReceipt>(closing)[0].receipt.end, core::AttemptEnd::finished);
    EXPECT_EQ(all<CloseReceipt>(closing)[0].receipt.acknowledged_tokens, 2u);
}

TEST_F(AgentCoreTest, CollectsARequestInPartsWhateverTheirOrder) {
    ready();
    const core::AttemptId id("a");
    hear("a", core::Open{core::GatewayId("g"), 3, 9, "aaa"});
    EXPECT_TRUE(all<DecodeWork>(hear("a", core::Body{2, "ccc"})).empty());
    EXPECT_TRUE(all<DecodeWork>(hear("a", core::Body{1, "bbb"})).empty());
    EXPECT_EQ(said<core::Alive>(pass(base::milliseconds(300))).at(0).parts_received, 2u);
    const Effects effects = hear("a", core::Body{2, "ccc"});
    ASSERT_EQ(all<DecodeWork>(effects).size(), 1u);
    EXPECT_EQ(all<DecodeWork>(effects)[0].bytes, "aaabbbccc");
    EXPECT_EQ(said<core::Refused>(feed(WorkDecoded{id, std::nullopt})).size(), 1u);
    EXPECT_EQ(core.open_attempts(), 0u);
}

}  // namespace
}  // namespace idlewatt::agent
