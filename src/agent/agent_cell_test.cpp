// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the agent's mind makes of the coordinator's words: models come and go, an operator pauses,
// credentials are renewed.
#include <gtest/gtest.h>

#include "agent/agent_core.hpp"
#include "agent/effects_test.hpp"

namespace idlewatt::agent {
namespace {

using core::SignalId;

core::OwnerSettings willing_owner() {
    core::OwnerSettings settings;
    settings.consent = true;
    settings.reentry_delay = base::seconds(1);
    return settings;
}

core::Model model(const std::string& name, char digit) {
    core::Model model;
    model.name = name;
    model.sha256 = std::string(64, digit);
    model.bytes = 1000;
    return model;
}

const core::Model small = model("small", 'a');
const core::Model large = model("large", 'b');

class AgentCellTest : public ::testing::Test {
protected:
    Effects feed(const Event& event) {
        Effects effects = core.handle(event, now, wall_now());
        everything.insert(everything.end(), effects.begin(), effects.end());
        return effects;
    }
    [[nodiscard]] base::WallTime wall_now() const {
        return base::WallTime{1'790'000'000'000'000} + (now - base::Instant{});
    }
    void all_signals() {
        const auto set = [this](SignalId id, double value) {
            feed(SignalRead{id, {value, wall_now(), now}});
        };
        set(SignalId::occupied, occupied);
        set(SignalId::parked, 1);
        set(SignalId::moving, 0);
        set(SignalId::plugged_in, 1);
        set(SignalId::locked, 1);
        set(SignalId::state_of_charge_percent, 80);
    }
    // Time passes as in a car that is well.
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
    void wake(core::Reason expected = core::Reason::no_model) {
        feed(BusChanged{true});
        all_signals();
        pass(tick_period);
        ASSERT_EQ(core.announced_reason(), expected);
    }
    Effects assign(std::optional<core::Model> wanted, bool paused = false, bool draining = false) {
        core::Assignment assignment;
        assignment.version = ++version;
        assignment.model = std::move(wanted);
        if (assignment.model)
            assignment.blob_url = "http://c/" + assignment.model->sha256;
        assignment.paused = paused;
        assignment.draining = draining;
        return feed(Assigned{assignment});
    }
    Effects arrived(const core::Model& which) {
        return feed(ModelFetched{which.sha256, "/cache/" + which.sha256});
    }
    void engine_ready() { feed_ready(); }
    Effects feed_ready() {
        engine::Status status;
        status.condition = engine::Condition::ready;
        status.ready.slots = 2;
        return feed(EngineChanged{status});
    }
    void engine_fails() {
        engine::Status status;
        status.condition = engine::Condition::failed;
        status.failure = "no such tensor";
        feed(EngineChanged{status});
    }
    void serve(const core::Model& which) {
        assign(which);
        arrived(which);
        engine_ready();
        ASSERT_EQ(core.announced_reason(), core::Reason::ok);
    }
    Effects run(const std::string& id, const std::string& name) {
        feed(Heard{core::AttemptId(id), core::Open{core::GatewayId("g"), 1, 4, "work"}});
        return feed(
            WorkDecoded{core::AttemptId(id), core::Work{core::WorkId("w"), name, "{}", {}}});
    }
    void end(const std::string& id) {
        engine::StreamEnd done;
        done.kind = engine::StreamEnd::Kind::finished;
        feed(StreamEnded{core::AttemptId(id), done});
    }
    std::vector<std::string> announced() {
        const auto said = all<Announce>(pass(base::milliseconds(1100)));
        return said.empty() ? std::vector<std::string>{} : said.back().announcement.models;
    }

    base::Instant now{};
    double occupied = 0;
    std::uint64_t version = 0;
    Effects everything;
    CoreConfig config{core::VehicleId("car"), core::Incarnation(1), "", willing_owner()};
    AgentCore core{config, now};
};

TEST_F(AgentCellTest, AsksFetchesLoadsAndAnnounces) {
    feed(BusChanged{true});
    all_signals();
    EXPECT_EQ(all<AskAssignment>(pass(tick_period)).size(), 1U);
    EXPECT_TRUE(all<AskAssignment>(pass(base::seconds(10))).empty()) << "one question at a time";
    EXPECT_EQ(core.announced_reason(), core::Reason::no_model);
    const Effects assigned = assign(small);
    EXPECT_EQ(all<KeepAssignment>(assigned).size(), 1U);
    ASSERT_EQ(all<FetchModel>(assigned).size(), 1U);
    EXPECT_EQ(all<FetchModel>(assigned)[0].url, "http://c/" + small.sha256);
    EXPECT_EQ(core.announced_reason(), core::Reason::no_model) << "nothing is there yet";
    const Effects there = arrived(small);
    ASSERT_EQ(all<UseModel>(there).size(), 1U);
    EXPECT_EQ(all<UseModel>(there)[0].file.path, "/cache/" + small.sha256);
    EXPECT_EQ(all<StartEngine>(there).size(), 1U);
    EXPECT_EQ(core.announced_reason(), core::Reason::starting);
    engine_ready();
    EXPECT_EQ(core.announced_reason(), core::Reason::ok);
    EXPECT_EQ(announced(), std::vector<std::string>{"small"});
}

TEST_F(AgentCellTest, AsksEveryHalfMinuteAndWhenPokedAndWithBackOffWhileNobodyAnswers) {
    wake();
    assign(small);
    EXPECT_TRUE(all<AskAssignment>(pass(base::seconds(29))).empty());
    EXPECT_EQ(all<AskAssignment>(pass(base::seconds(8))).size(), 1U);
    feed(Assigned{});
    EXPECT_EQ(all<AskAssignment>(pass(base::seconds(3))).size(), 1U) << "soon again";
    EXPECT_TRUE(all<AskAssignment>(feed(Poked{})).empty()) << "an answer is awaited";
    EXPECT_EQ(all<AskAssignment>(feed(Assigned{})).size(), 1U) << "but then at once";
    feed(Assigned{});
    feed(BusChanged{false});
    EXPECT_TRUE(all<AskAssignment>(pass(base::minutes(2))).empty());
    feed(BusChanged{true});
    EXPECT_EQ(all<AskAssignment>(pass(tick_period)).size(), 1U);
}

TEST_F(AgentCellTest, RemembersItsAssignmentWhileTheCoordinatorIsAway) {
    core::Assignment kept;
    kept.version = 7;
    kept.model = small;
    all_signals();
    const Effects effects = feed(Remembered{kept});
    EXPECT_EQ(all<FetchModel>(effects).size(), 1U);
    EXPECT_TRUE(all<KeepAssignment>(effects).empty());
    EXPECT_EQ(all<StartEngine>(arrived(small)).size(), 1U);
    kept.version = 6;
    kept.model = large;
    EXPECT_TRUE(all<FetchModel>(feed(Assigned{kept})).empty()) << "an older one is ignored";
}

// The old model serves until the new one is there; its answers end before it goes.
TEST_F(AgentCellTest, DrainsTheOldModelBeforeItLoadsTheNewOne) {
    wake();
    serve(small);
    ASSERT_EQ(all<Generate>(run("a", "small")).size(), 1U);
    EXPECT_EQ(all<FetchModel>(assign(large)).size(), 1U);
    EXPECT_EQ(core.announced_reason(), core::Reason::ok);
    EXPECT_EQ(all<Generate>(run("b", "small")).size(), 1U);
    end("b");
    feed(Heard{core::AttemptId("b"), core::Ack{1}});
    const Effects there = arrived(large);
    EXPECT_EQ(core.announced_reason(), core::Reason::draining);
    EXPECT_TRUE(all<KillEngine>(there).empty());
    EXPECT_TRUE(all<Generate>(run("c", "small")).empty()) << "nothing new";
    everything.clear();
    end("a");
    const Effects settled = feed(Heard{core::AttemptId("a"), core::Ack{1}});
    EXPECT_EQ(all<CloseReceipt>(settled).size(), 1U);
    EXPECT_EQ(all<KillEngine>(everything).size(), 1U);
    const Effects gone = feed(EngineGone{});
    ASSERT_EQ(all<UseModel>(gone).size(), 1U);
    EXPECT_EQ(all<UseModel>(gone)[0].file.name, "large");
    EXPECT_EQ(all<StartEngine>(gone).size(), 1U);
    engine_ready();
    EXPECT_EQ(announced(), std::vector<std::string>{"large"});
    EXPECT_TRUE(all<Generate>(run("d", "small")).empty()) << "meant for the old one";
    EXPECT_EQ(all<Generate>(run("e", "large")).size(), 1U);
}

TEST_F(AgentCellTest, AnAnswerThatDoesNotEndIsHandedOver) {
    wake();
    serve(small);
    run("a", "small");
    assign(large);
    arrived(large);
    Effects effects;
    for (int i = 0; i < 11; ++i) {
        feed(Heard{core::AttemptId("a"), core::Ack{0}});
        const Effects second = pass(base::seconds(1));
        effects.insert(effects.end(), second.begin(), second.end());
    }
    EXPECT_EQ(all<CancelStream>(effects).size(), 1U);
    EXPECT_EQ(all<KillEngine>(effects).size(), 1U);
}

TEST_F(AgentCellTest, NothingAssignedEndsTheEngine) {
    wake();
    serve(small);
    EXPECT_EQ(all<KillEngine>(assign(std::nullopt)).size(), 1U);
    feed(EngineGone{});
    EXPECT_EQ(core.announced_reason(), core::Reason::no_model);
    EXPECT_TRUE(announced().empty());
    const Effects again = assign(small);
    EXPECT_EQ(all<FetchModel>(again).size(), 1U) << "to be sure that it is still there";
    EXPECT_TRUE(all<StartEngine>(again).empty());
    const Effects there = arrived(small);
    EXPECT_TRUE(all<UseModel>(there).empty()) << "the engine knows it";
    EXPECT_EQ(all<StartEngine>(there).size(), 1U);
}

TEST_F(AgentCellTest, AnOperatorPausesAndDrainsButCannotMakeItWork) {
    wake();
    serve(small);
    EXPECT_EQ(all<KillEngine>(assign(small, true)).size(), 1U);
    EXPECT_EQ(core.announced_reason(), core::Reason::paused_by_operator);
    feed(EngineGone{});
    EXPECT_EQ(core.announced_reason(), core::Reason::paused_by_operator);
    assign(small, false, true);
    EXPECT_EQ(core.announced_reason(), core::Reason::draining);
    occupied = 1;
    all_signals();
    EXPECT_EQ(core.announced_reason(), core::Reason::occupied) << "the owner's word is above all";
    const Effects resumed = assign(small);
    EXPECT_TRUE(all<StartEngine>(resumed).empty());
    EXPECT_EQ(core.announced_reason(), core::Reason::occupied);
    occupied = 0;
    EXPECT_EQ(all<StartEngine>(pass(base::seconds(2))).size(), 1U);
}

TEST_F(AgentCellTest, FetchesOnlyWhileItsOwnerWantsWork) {
    occupied = 1;
    wake(core::Reason::occupied);
    EXPECT_TRUE(all<FetchModel>(assign(small)).empty());
    occupied = 0;
    EXPECT_EQ(all<FetchModel>(pass(base::seconds(2))).size(), 1U);
    occupied = 1;
    EXPECT_EQ(all<StopFetch>(pass(base::seconds(1))).size(), 1U);
    occupied = 0;
    EXPECT_EQ(all<FetchModel>(pass(base::seconds(3))).size(), 1U);
    EXPECT_EQ(all<StopFetch>(assign(large)).size(), 1U) << "not that one any more";
    EXPECT_TRUE(all<StartEngine>(arrived(small)).empty()) << "too late";
    EXPECT_EQ(all<StartEngine>(arrived(large)).size(), 1U);
}

TEST_F(AgentCellTest, TriesAFailedFetchAgainLaterAndMakesRoomIfItMust) {
    wake();
    serve(small);
    assign(large);
    feed(ModelFetchFailed{large.sha256, {base::ErrorKind::unavailable, "away"}});
    EXPECT_EQ(core.announced_reason(), core::Reason::ok) << "the old one goes on";
    EXPECT_TRUE(all<FetchModel>(pass(base::seconds(29))).empty());
    EXPECT_EQ(all<FetchModel>(pass(base::seconds(2))).size(), 1U);
    const Effects full =
        feed(ModelFetchFailed{large.sha256, {base::ErrorKind::limit_exceeded, "no room"}});
    EXPECT_EQ(all<KillEngine>(full).size(), 1U);
    feed(EngineGone{});
    const Effects again = pass(tick_period);
    ASSERT_EQ(all<FetchModel>(again).size(), 1U);
    EXPECT_TRUE(all<FetchModel>(again)[0].drop_old);
    EXPECT_EQ(core.announced_reason(), core::Reason::no_model);
    EXPECT_EQ(all<UseModel>(arrived(large)).size(), 1U);
}

TEST_F(AgentCellTest, AnOldModelThatNobodyNeedsMakesRoom) {
    wake();
    serve(small);
    assign(std::nullopt);
    feed(EngineGone{});
    assign(large);
    feed(ModelFetchFailed{large.sha256, {base::ErrorKind::limit_exceeded, "no room"}});
    const Effects again = pass(tick_period);
    ASSERT_EQ(all<FetchModel>(again).size(), 1U);
    EXPECT_TRUE(all<FetchModel>(again)[0].drop_old);
    feed(ModelFetchFailed{large.sha256, {base::ErrorKind::limit_exceeded, "no room"}});
    EXPECT_TRUE(all<FetchModel>(pass(base::seconds(20))).empty()) << "there is nothing to drop";
}

TEST_F(AgentCellTest, TheOldModelComesBackAfterARecallWhileTheNewOneIsFetched) {
    wake();
    serve(small);
    assign(large);
    occupied = 1;
    all_signals();
    feed(EngineGone{});
    occupied = 0;
    const Effects back = pass(base::seconds(2));
    EXPECT_EQ(all<StartEngine>(back).size(), 1U);
    EXPECT_TRUE(all<UseModel>(back).empty());
    engine_ready();
    EXPECT_EQ(announced(), std::vector<std::string>{"small"});
}

// A model's file may be whole and yet be none for this engine.
TEST_F(AgentCellTest, GoesBackToTheModelThatWorkedWhenTheNewOneCannotBeLoaded) {
    wake();
    serve(small);
    assign(large);
    arrived(large);
    feed(EngineGone{});
    ASSERT_EQ(all<UseModel>(everything).back().file.name, "large");
    everything.clear();
    engine_fails();
    engine_fails();
    EXPECT_TRUE(all<KillEngine>(everything).empty()) << "it may be a whim";
    EXPECT_TRUE(all<ReportUnfitModel>(everything).empty());
    engine_fails();
    EXPECT_EQ(all<KillEngine>(everything).size(), 1U);
    ASSERT_EQ(all<ReportUnfitModel>(everything).size(), 1U);
    EXPECT_EQ(all<ReportUnfitModel>(everything)[0].name, "large");
    EXPECT_EQ(all<ReportUnfitModel>(everything)[0].goes_on_with, "small");
    EXPECT_EQ(all<ReportUnfitModel>(everything)[0].failure, "no such tensor");
    const Effects back = feed(EngineGone{});
    ASSERT_EQ(all<UseModel>(back).size(), 1U);
    EXPECT_EQ(all<UseModel>(back)[0].file.name, "small");
    EXPECT_EQ(all<StartEngine>(back).size(), 1U);
    engine_ready();
    EXPECT_EQ(core.announced_reason(), core::Reason::ok);
    EXPECT_EQ(announced(), std::vector<std::string>{"small"});
    EXPECT_EQ(all<Generate>(run("a", "small")).size(), 1U);
    end("a");
    feed(Heard{core::AttemptId("a"), core::Ack{1}});

    // The same again changes nothing, and neither does a crash of what works.
    assign(large);
    for (int i = 0; i < 5; ++i)
        engine_fails();
    pass(base::minutes(2));
    EXPECT_TRUE(all<UseModel>(everything).empty());
    EXPECT_TRUE(all<FetchModel>(everything).empty());
    engine_ready();

    // Another one is tried.
    const core::Model mended = model("large", 'c');
    EXPECT_EQ(all<FetchModel>(assign(mended)).size(), 1U);
    arrived(mended);
    const Effects tried = feed(EngineGone{});
    ASSERT_EQ(all<UseModel>(tried).size(), 1U);
    EXPECT_EQ(all<UseModel>(tried)[0].sha256, mended.sha256);
    EXPECT_EQ(all<DropFormerModel>(feed_ready()).size(), 1U);
    EXPECT_EQ(announced(), std::vector<std::string>{"large"});
}

TEST_F(AgentCellTest, AFirstModelThatCannotBeLoadedIsTriedOnAndOn) {
    wake();
    assign(small);
    arrived(small);
    for (int i = 0; i < 10; ++i)
        engine_fails();
    EXPECT_EQ(core.announced_reason(), core::Reason::engine_failed);
    EXPECT_TRUE(all<KillEngine>(everything).empty());
    engine_ready();
    EXPECT_EQ(core.announced_reason(), core::Reason::ok);
}

TEST_F(AgentCellTest, AFixedModelAsksNobody) {
    CoreConfig fixed = config;
    fixed.model = "fixed";
    core = AgentCore(fixed, now);
    feed(BusChanged{true});
    all_signals();
    EXPECT_TRUE(all<AskAssignment>(pass(base::minutes(2))).empty());
    EXPECT_TRUE(all<UseModel>(everything).empty());
    EXPECT_EQ(all<KillEngine>(assign(std::nullopt)).size(), 0U);
    engine_ready();
    EXPECT_EQ(announced(), std::vector<std::string>{"fixed"});
}

TEST_F(AgentCellTest, RenewsInTheMiddleOfTheirLifeAndChangesOverWhenNothingRuns) {
    config.credentials = CredentialsLife{wall_now(), wall_now() + base::minutes(60)};
    config.membership = "first";
    core = AgentCore(config, now);
    wake();
    serve(small);
    EXPECT_TRUE(all<AskRenewal>(pass(base::minutes(20))).empty());
    EXPECT_EQ(all<AskRenewal>(pass(base::minutes(18))).size(), 1U);
    feed(Renewed{});
    EXPECT_EQ(all<AskRenewal>(pass(base::seconds(10))).size(), 1U) << "again, a little later";
    run("a", "small");
    const Effects renewed =
        feed(Renewed{wire::Renewal{"jwt", "second", wall_now() + base::minutes(60)}});
    ASSERT_EQ(all<Announce>(renewed).size(), 1U);
    EXPECT_EQ(all<Announce>(renewed)[0].announcement.membership, "second");
    EXPECT_TRUE(all<Reauthenticate>(renewed).empty()) << "an answer runs";
    end("a");
    feed(Heard{core::AttemptId("a"), core::Ack{1}});
    EXPECT_EQ(all<Reauthenticate>(pass(tick_period)).size(), 1U);
    EXPECT_TRUE(all<AskRenewal>(pass(base::minutes(20))).empty());
    EXPECT_EQ(all<AskRenewal>(pass(base::minutes(18))).size(), 1U) << "and so on";
}

TEST_F(AgentCellTest, ChangesOverBeforeTheEndWhateverRuns) {
    config.credentials = CredentialsLife{wall_now(), wall_now() + base::minutes(8)};
    core = AgentCore(config, now);
    wake();
    serve(small);
    run("a", "small");
    Effects effects;
    for (int second = 0; second < 8 * 60 && all<Reauthenticate>(effects).empty(); ++second) {
        feed(Heard{core::AttemptId("a"), core::Ack{0}});
        effects = pass(base::seconds(1));
        if (!all<AskRenewal>(effects).empty())
            feed(Renewed{wire::Renewal{"jwt", "", wall_now() + base::minutes(60)}});
    }
    ASSERT_EQ(all<Reauthenticate>(effects).size(), 1U);
    EXPECT_GT(now, base::Instant{} + base::seconds(6 * 60 + 59));
    EXPECT_LT(now, base::Instant{} + base::seconds(8 * 60));
}

}  // namespace
}  // namespace idlewatt::agent
