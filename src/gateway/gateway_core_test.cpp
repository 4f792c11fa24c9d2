// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The gateway's mind without a body: events in, effects out.
#include "gateway/gateway_fixture_test.hpp"

namespace idlewatt::gateway {
namespace {

TEST_F(GatewayCoreTest, StreamsPiecesAndAcknowledgesWhatIsWritten) {
    announce("car");
    const Tell open = opened(ask(1));
    const Effects first = piece(open, 1, "one");
    EXPECT_EQ(all<BeginResponse>(first).size(), 1u);
    EXPECT_NE(written(first).find("one"), std::string::npos);
    const auto lease = told<core::Ack>(pass(core::ack_period, {"car"}));
    ASSERT_FALSE(lease.empty());
    EXPECT_EQ(lease.back().sequence, 0u) << "acknowledged before the client had it";
    all_written(1);
    say(open, core::Alive{1, 1});
    EXPECT_EQ(told<core::Ack>(pass(core::ack_period, {"car"})).back().sequence, 1u);
}

TEST_F(GatewayCoreTest, IgnoresRepetitionsAndAsksForWhatIsMissing) {
    announce("car");
    const Tell open = opened(ask(1));
    piece(open, 1, "one");
    EXPECT_EQ(written(piece(open, 1, "one")), "");
    now = now + repeat_period;
    const Effects gap = piece(open, 3, "three");
    EXPECT_EQ(written(gap), "");
    ASSERT_EQ(told<core::Resend>(gap).size(), 1u);
    EXPECT_EQ(told<core::Resend>(gap)[0].from, 2u);
    EXPECT_TRUE(told<core::Resend>(piece(open, 4, "four")).empty()) << "one question is enough";
    EXPECT_NE(written(piece(open, 2, "two")).find("two"), std::string::npos);
}

TEST_F(GatewayCoreTest, GoesOnElsewhereBehindWhatWasSent) {
    announce("car");
    const Tell open = opened(ask(1));
    piece(open, 1, "one");
    announce("other");
    const Effects left = feed(CarLeft{open.vehicle, open.incarnation});
    const Tell again = opened(left);
    EXPECT_EQ(again.vehicle, core::VehicleId("other"));
    const auto work = wire::decode_work(std::get<core::Open>(again.message).part);
    ASSERT_TRUE(work.has_value());
    EXPECT_EQ(work->resume.tokens, 1u);
    const Effects late = piece(open, 2, "late");
    EXPECT_EQ(written(late), "") << "a late word of the former attempt reached the client";
    EXPECT_EQ(told<core::Cancel>(late).size(), 1u);
    EXPECT_NE(written(piece(again, 1, "two")).find("two"), std::string::npos);
    EXPECT_EQ(core.figures().migrations, 1u);
}

TEST_F(GatewayCoreTest, DoesNotListenToAFormerRunOfTheAgent) {
    announce("car");
    const Tell open = opened(ask(1));
    EXPECT_EQ(told<core::Cancel>(announce("car", core::Reason::ok, 2)).size(), 1u);
    EXPECT_EQ(written(piece(open, 1, "old")), "");
    announce("other");
    Tell forged = opened(everything);
    forged.incarnation = core::Incarnation(1);
    EXPECT_EQ(written(piece(forged, 1, "old")), "");
}

TEST_F(GatewayCoreTest, GivesUpASilentCarBeforeItsLeaseEnds) {
    announce("car");
    const Tell open = opened(ask(1));
    piece(open, 1, "one");
    announce("other");
    const Effects effects = pass(silence_max + base::milliseconds(100), {"car", "other"});
    EXPECT_EQ(opened(effects).vehicle, core::VehicleId("other"));
    EXPECT_EQ(told<core::Cancel>(effects).size(), 1u);
}

TEST_F(GatewayCoreTest, TriesElsewhereWhenACarRefuses) {
    announce("car");
    announce("other");
    const Tell open = opened(ask(1));
    const Tell again = opened(say(open, core::Refused{core::Reason::ok, true}));
    EXPECT_NE(again.vehicle, open.vehicle);
}

TEST_F(GatewayCoreTest, TurnsClientsAwayWhenTheQueueIsFull) {
    for (std::uint64_t request = 1; request <= waiting_max; ++request)
        EXPECT_TRUE(ask(request).empty());
    const auto refused = all<Respond>(ask(waiting_max + 1));
    ASSERT_EQ(refused.size(), 1u);
    EXPECT_EQ(refused[0].response.status, 429);
    EXPECT_TRUE(refused[0].response.headers.contains("retry-after"));
    EXPECT_EQ(core.figures().requests_waiting, waiting_max);
}

TEST_F(GatewayCoreTest, SaysAfterThirtySecondsThatNoCarCame) {
    others_use_all = true;
    announce("car");
    ask(1, ask_whole);
    EXPECT_TRUE(all<Respond>(pass(waiting_time_max, {"car"})).empty());
    const auto refused = all<Respond>(pass(base::milliseconds(100), {"car"}));
    ASSERT_EQ(refused.size(), 1u);
    EXPECT_EQ(refused[0].response.status, 503);
    EXPECT_TRUE(refused[0].response.headers.contains("retry-after"));
    EXPECT_NE(refused[0].response.body.find("no_capacity"), std::string::npos);
    EXPECT_EQ(core.figures().requests_failed_no_capacity, 1u);
}

TEST_F(GatewayCoreTest, EndsAMigrationThatFindsNoCarInAnError) {
    announce("car");
    const Tell open = opened(ask(1));
    piece(open, 1, "one");
    all_written(1);
    feed(CarLeft{open.vehicle, open.incarnation});
    const Effects waiting = pass(migration_time_max);
    EXPECT_TRUE(all<EndResponse>(waiting).empty());
    EXPECT_GE(all<WriteResponse>(waiting).size(), 3u) << "comments keep the client";
    const Effects effects = pass(base::milliseconds(100));
    EXPECT_NE(written(effects).find("worker_preempted"), std::string::npos);
    EXPECT_EQ(written(effects).find("[DONE]"), std::string::npos);
    EXPECT_EQ(all<EndResponse>(effects).size(), 1u);
}

TEST_F(GatewayCoreTest, EndsAlsoWhenTheBusStaysAway) {
    announce("car");
    const Tell open = opened(ask(1));
    piece(open, 1, "one");
    all_written(1);
    feed(BusChanged{false});
    const Effects waiting = pass(migration_time_max);
    EXPECT_GE(all<WriteResponse>(waiting).size(), 3u) << "comments keep the client";
    const Effects effects = pass(core::lease_duration + base::milliseconds(200));
    EXPECT_NE(written(effects).find("worker_preempted"), std::string::npos);
    EXPECT_EQ(all<EndResponse>(effects).size(), 1u);
}

TEST_F(GatewayCoreTest, GoesOnWithTheSameCarAfterAShortCut) {
    announce("car");
    const Tell open = opened(ask(1));
    piece(open, 1, "one");
    feed(BusChanged{false});
    EXPECT_TRUE(told<core::Open>(pass(base::milliseconds(1500))).empty());
    const Effects back = feed(BusChanged{true});
    ASSERT_EQ(told<core::Resend>(back).size(), 1u);
    EXPECT_EQ(told<core::Resend>(back)[0].from, 2u);
    EXPECT_NE(written(piece(open, 2, "two")).find("two"), std::string::npos);
}

TEST_F(GatewayCoreTest, StopsTheCarWhenTheClientHasGone) {
    announce("car");
    const Tell open = opened(ask(1));
    piece(open, 1, "one");
    all_written(1);
    const Effects effects = feed(ClientGone{http::RequestId{1}});
    ASSERT_EQ(told<core::Ack>(effects).size(), 1u);
    EXPECT_EQ(told<core::Ack>(effects)[0].sequence, 1u) << "the car is owed what was read";
    EXPECT_EQ(told<core::Cancel>(effects).size(), 1u);
    EXPECT_EQ(core.figures().requests_cancelled, 1u);
    EXPECT_EQ(core.fleet().rows(now)[0].active_requests, 0u);
}

// A client that reads slowly has less than the gateway when a car says its last word.
TEST_F(GatewayCoreTest, AcknowledgesAnEndedAttemptOnlyWhenTheClientHasItAll) {
    announce("car");
    const Tell open = opened(ask(1));
    piece(open, 1, "one");
    all_written(1);
    piece(open, 2, "two");
    const Effects ending = say(open, core::Numbered{3, core::Finished{{}, 1, 2, 0}});
    EXPECT_EQ(all<EndResponse>(ending).size(), 1u);
    ASSERT_EQ(told<core::Ack>(ending).size(), 1u);
    EXPECT_EQ(told<core::Ack>(ending)[0].sequence, 1u);
    EXPECT_EQ(told<core::Ack>(say(open, core::Alive{1, 3})).at(0).sequence, 1u);
    EXPECT_EQ(told<core::Ack>(pass(core::ack_period)).at(0).sequence, 1u) << "the lease goes on";
    EXPECT_EQ(told<core::Ack>(all_written(1)).at(0).sequence, 3u);
    EXPECT_TRUE(told<core::Ack>(pass(base::seconds(1))).empty());
}

TEST_F(GatewayCoreTest, LeavesTheRestUnacknowledgedWhenTheClientGoesAfterTheEnd) {
    announce("car");
    const Tell open = opened(ask(1));
    piece(open, 1, "one");
    say(open, core::Numbered{2, core::Yielded{core::Reason::occupied}});
    const Effects effects = feed(ClientGone{http::RequestId{1}});
    ASSERT_FALSE(told<core::Ack>(effects).empty());
    EXPECT_EQ(told<core::Ack>(effects)[0].sequence, 0u);
    EXPECT_EQ(told<core::Cancel>(effects).size(), 1u);
}

TEST_F(GatewayCoreTest, PassesTheEnginesRefusalOnAndTriesNobodyElse) {
    announce("car");
    announce("other");
    const Tell open = opened(ask(1));
    const Effects effects = say(open, core::Numbered{1, core::Rejected{400, "too long"}});
    ASSERT_EQ(all<Respond>(effects).size(), 1u);
    EXPECT_EQ(all<Respond>(effects)[0].response.status, 400);
    EXPECT_TRUE(told<core::Open>(effects).empty());
    EXPECT_EQ(core.figures().requests_started, 0u);
}

TEST_F(GatewayCoreTest, AnswersInOnePieceWhenNotStreamed) {
    announce("car");
    const Tell open = opened(ask(1, ask_whole));
    EXPECT_TRUE(all<BeginResponse>(piece(open, 1, "one")).empty());
    const Effects effects = say(open, core::Numbered{2, core::Finished{{}, 5, 2, 0}});
    ASSERT_EQ(all<Respond>(effects).size(), 1u);
    EXPECT_NE(all<Respond>(effects)[0].response.body.find("\"content\":\"one\""),
              std::string::npos);
    EXPECT_NE(all<Respond>(effects)[0].response.body.find("\"completion_tokens\":2"),
              std::string::npos);
    EXPECT_EQ(told<core::Ack>(effects).at(0).sequence, 2u);
}

// nats-server was restarted and none of eight cars has found its way back yet: the question waits.
TEST_F(GatewayCoreTest, CarsThatHeardNothingAreNoReasonToGiveUp) {
    for (int car = 0; car < 8; ++car)
        announce("car" + std::to_string(car));
    Effects effects = ask(1);
    for (int attempt = 0; attempt < 8; ++attempt) {
        const auto opens = told<core::Open>(effects);
        ASSERT_EQ(opens.size(), 1U) << attempt;
        effects = feed(Unheard{opened(effects).attempt});
    }
    EXPECT_TRUE(all<Respond>(effects).empty());
    EXPECT_FALSE(told<core::Open>(pass(avoid_for + tick_period, {"car3"})).empty());
}

TEST_F(GatewayCoreTest, WhoHasBegunCannotRefuse) {
    announce("a");
    announce("b");
    const Tell first = opened(ask(1));
    piece(first, 1, "one");
    const Effects effects = say(first, core::Refused{core::Reason::ok, true});
    EXPECT_TRUE(all<Respond>(effects).empty());
    EXPECT_TRUE(told<core::Open>(effects).empty());
    EXPECT_NE(written(piece(first, 2, "two")).find("two"), std::string::npos);
}

// It talks, but what is missing never comes: a lie, or a message that cannot be read.
TEST_F(GatewayCoreTest, ACarThatCannotFillAGapIsGivenUp) {
    announce("a");
    const Tell first = opened(ask(1));
    piece(first, 1, "one");
    announce("b");
    bool moved = false;
    for (int i = 0; i < 60 && !moved; ++i) {
        say(first, core::Alive{1, 5});
        moved = !told<core::Open>(pass(tick_period)).empty();
    }
    EXPECT_TRUE(moved);
}

TEST_F(GatewayCoreTest, TellsEverybodyThatItStops) {
    announce("car");
    const Tell open = opened(ask(1));
    piece(open, 1, "one");
    all_written(1);
    const Tell whole = opened(ask(2, ask_whole));
    const Effects last = feed(Stopping{});
    EXPECT_NE(written(last).find(R"("code":"worker_preempted")"), std::string::npos);
    EXPECT_EQ(written(last).find("[DONE]"), std::string::npos);
    ASSERT_EQ(all<EndResponse>(last).size(), 1u);
    EXPECT_EQ(answer(last).status, 503);
    EXPECT_EQ(answer(last).headers.count("retry-after"), 1u);
    EXPECT_EQ(told<core::Cancel>(last).size(), 2u) << "cars go on working for nobody";
    EXPECT_FALSE(core.all_told()) << "the error is not with the kernel yet";
    all_written(1);
    EXPECT_TRUE(core.all_told());
    EXPECT_FALSE(core.room().connected) << "lines of batches would be begun and dropped";
    EXPECT_EQ(answer(ask(3)).status, 503);
    EXPECT_EQ(answer(send(4, "GET", "/healthz")).status, 503);
    EXPECT_EQ(written(piece(whole, 1, "late")), "");
}

TEST_F(GatewayCoreTest, WaitsForNoClientThatHasGone) {
    announce("car");
    piece(opened(ask(1)), 1, "one");
    feed(Stopping{});
    EXPECT_FALSE(core.all_told());
    feed(ClientGone{http::RequestId{1}});
    EXPECT_TRUE(core.all_told());
}

}  // namespace
}  // namespace idlewatt::gateway
