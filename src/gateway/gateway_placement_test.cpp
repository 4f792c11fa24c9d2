// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Which car is asked: affinity, breakers, second attempts; and what is recorded of each attempt.
#include <algorithm>
#include <set>

#include "gateway/gateway_fixture_test.hpp"

namespace idlewatt::gateway {
namespace {

class GatewayPlacement : public GatewayCoreTest {
protected:
    Effects end(const Tell& to, std::uint64_t number) {
        return say(to, core::Numbered{number, core::Finished{{}, 5, 2, 0}});
    }
    bool counts(const std::string& line) {
        return core.metrics_text(now, {}).find(line) != std::string::npos;
    }
    static std::string question(const std::string& text) {
        return R"({"model":"m","messages":[{"role":"user","content":")" + text + "\"}]}";
    }
    void answer_many(const std::vector<std::string>& cars, std::uint64_t count) {
        for (std::uint64_t request = 1000; request < 1000 + count; ++request) {
            for (const std::string& car : cars)
                announce(car);
            const Tell open = opened(ask(request, question(std::to_string(request))));
            now = now + base::milliseconds(20);
            piece(open, 1, "x");
            end(open, 2);
        }
    }
};

TEST_F(GatewayPlacement, AConversationGoesBackToItsCar) {
    slots = 8;
    for (int car = 0; car < 6; ++car)
        announce("car" + std::to_string(car));
    std::set<std::string> cars;
    for (std::uint64_t conversation = 0; conversation < 12; ++conversation) {
        std::string first;
        for (std::uint64_t turn = 0; turn < 5; ++turn) {
            const Tell open = opened(ask(conversation * 10 + turn + 1,
                                         question("talk " + std::to_string(conversation))));
            if (turn == 0)
                first = open.vehicle.value;
            EXPECT_EQ(open.vehicle.value, first);
            piece(open, 1, "x");
            end(open, 2);
        }
        cars.insert(first);
    }
    EXPECT_GT(cars.size(), 2U) << "conversations spread";
}

TEST_F(GatewayPlacement, CountsWhatItIsToldAndWhatIsLostOnTheWay) {
    announce("car1");
    announce("car2");
    --sequence;
    announce("car2");  // said already
    core.note_losses({.published_too_fast = 3});
    EXPECT_TRUE(counts("idlewatt_announcements_total{outcome=\"taken\"} 2\n"));
    EXPECT_TRUE(counts("idlewatt_announcements_total{outcome=\"outdated\"} 1\n"));
    EXPECT_TRUE(counts("idlewatt_bus_losses_total{kind=\"published_too_fast\"} 3\n"));
}

TEST_F(GatewayPlacement, ACarThatKeepsFailingIsLeftAloneThroughItsRestarts) {
    std::uint64_t request = 0;
    std::uint64_t incarnation = 1;
    for (int failure = 0; failure < 40; ++failure) {
        now = now + base::seconds(1);
        announce("good");
        announce("better");
        announce("bad", core::Reason::ok, incarnation);
        ++request;
        const Tell open = opened(ask(request, question(std::to_string(request))));
        if (open.vehicle == core::VehicleId("bad")) {
            say(open, core::Alive{1, 0});
            feed(CarLeft{open.vehicle, open.incarnation});
            ++incarnation;
        }
        feed(ClientGone{http::RequestId{request}});
    }
    EXPECT_GE(incarnation, 1 + scheduler::breaker_failures_max);
    EXPECT_LE(incarnation, 4 + scheduler::breaker_failures_max) << "a probe now and then";
    // After a while it is tried once more.
    const std::uint64_t before = incarnation;
    now = now + scheduler::breaker_hold_off_max;
    for (int i = 0; i < 20; ++i) {
        announce("good");
        announce("better");
        announce("bad", core::Reason::ok, incarnation);
        ++request;
        const Tell open = opened(ask(request, question(std::to_string(request))));
        piece(open, 1, "x");
        end(open, 2);
        if (open.vehicle == core::VehicleId("bad"))
            incarnation = before + 1;
    }
    EXPECT_GT(incarnation, before);
}

// Where all of them fail, it is hardly they who are at fault.
TEST_F(GatewayPlacement, CarsThatAllFailAreUsedAllTheSame) {
    for (std::uint64_t request = 1; request < 40; ++request) {
        announce("a", core::Reason::ok, request);
        announce("b", core::Reason::ok, request);
        const auto opens = all_opened(ask(request, question(std::to_string(request))));
        ASSERT_EQ(opens.size(), 1U) << request;
        say(opens[0], core::Alive{1, 0});
        feed(CarLeft{opens[0].vehicle, opens[0].incarnation});
        feed(ClientGone{http::RequestId{request}});
    }
}

TEST_F(GatewayPlacement, AClientsMistakeIsNotTheCarsFault) {
    announce("car");
    for (std::uint64_t request = 1; request < 10; ++request) {
        announce("car");
        say(opened(ask(request)), core::Numbered{1, core::Rejected{400, "no"}});
    }
    announce("car");
    opened(ask(20));
}

TEST_F(GatewayPlacement, ALateFirstTokenGetsASecondCarAndTheFirstToSpeakWins) {
    answer_many({"a", "b"}, 60);
    announce("a");
    announce("b");
    const Tell first = opened(ask(1));
    say(first, core::Alive{1, 0});
    everything.clear();
    const auto tick = [&] {
        now = now + base::milliseconds(200);
        announce("a");
        announce("b");
        say(first, core::Alive{1, 0});
        return feed(Tick{});
    };
    for (int i = 0; i < 5; ++i)
        tick();
    // The second one has not answered yet and is asked again.
    const auto opens = all_opened(everything);
    ASSERT_GE(opens.size(), 1U);
    EXPECT_TRUE(std::ranges::all_of(
        opens, [&](const Tell& open) { return open.attempt == opens[0].attempt; }));
    const Tell second = opens[0];
    EXPECT_NE(second.vehicle, first.vehicle);
    EXPECT_NE(second.attempt, first.attempt);
    EXPECT_TRUE(counts("idlewatt_hedges_total{outcome=\"started\"} 1"));
    const Effects spoken = piece(second, 1, "fast");
    EXPECT_NE(written(spoken).find("fast"), std::string::npos);
    const auto cancelled = all<Tell>(spoken);
    EXPECT_TRUE(std::ranges::any_of(cancelled, [&](const Tell& tell) {
        return tell.attempt == first.attempt && std::holds_alternative<core::Cancel>(tell.message);
    }));
    EXPECT_EQ(written(piece(first, 1, "late")), "") << "the slower one reached the client";
    all_written(1);
    const Effects ended = end(second, 2);
    all_written(1);
    EXPECT_TRUE(counts("idlewatt_hedges_total{outcome=\"won\"} 1"));
    for (const auto& row : core.fleet().rows(now))
        EXPECT_EQ(row.active_requests, 0U);
    // Both worked, and both are recorded; one brought nothing.
    const auto records = all<Record>(everything);
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[0].delivery.attempt, first.attempt);
    EXPECT_EQ(records[0].delivery.delivered_tokens, 0U);
    EXPECT_EQ(records[1].delivery.attempt, second.attempt);
    EXPECT_EQ(records[1].delivery.delivered_tokens, 2U) << "and the end token";
    EXPECT_TRUE(records[1].delivery.last);
}

TEST_F(GatewayPlacement, ARacesSurvivorGoesOnWhenTheOtherLeaves) {
    answer_many({"a", "b"}, 60);
    announce("a");
    announce("b");
    const Tell first = opened(ask(1));
    everything.clear();
    for (int i = 0; i < 5; ++i) {
        now = now + base::milliseconds(200);
        announce("a");
        announce("b");
        say(first, core::Alive{1, 0});
        feed(Tick{});
    }
    const Tell second = opened(everything);
    EXPECT_TRUE(all_opened(feed(CarLeft{first.vehicle, first.incarnation})).empty());
    EXPECT_NE(written(piece(second, 1, "x")).find("x"), std::string::npos);
    EXPECT_EQ(core.figures().requests_running, 1U);
}

// Both of a race were one try: that neither took it is no fault of the question's.
TEST_F(GatewayPlacement, ARaceThatNobodyTakesGoesOnElsewhere) {
    for (const bool unheard : {false, true}) {
        answer_many({"a", "b"}, 60);
        announce("a");
        announce("b");
        const Tell first = opened(ask(unheard ? 2 : 1));
        everything.clear();
        for (int i = 0; i < 5; ++i) {
            now = now + base::milliseconds(200);
            announce("a");
            announce("b");
            say(first, core::Alive{1, 0});
            feed(Tick{});
        }
        const Tell second = opened(everything);
        everything.clear();
        say(first, core::Refused{core::Reason::occupied, true});
        if (unheard)
            feed(Unheard{second.attempt});
        else
            say(second, core::Refused{core::Reason::occupied, true});
        EXPECT_TRUE(all<Respond>(everything).empty());
        announce("c");
        const Tell third = opened(everything);
        EXPECT_NE(written(piece(third, 1, "x")).find("x"), std::string::npos);
        end(third, 2);
        all_written(unheard ? 2 : 1);
        now = now + base::minutes(1);
    }
}

TEST_F(GatewayPlacement, WhatIsRecordedIsWhatTheClientHas) {
    announce("car");
    const Tell open = opened(ask(1));
    piece(open, 1, "one");
    all_written(1);
    piece(open, 2, "two");
    announce("other");
    everything.clear();
    const Tell again = opened(say(open, core::Numbered{3, core::Yielded{core::Reason::occupied}}));
    EXPECT_TRUE(all<Record>(everything).empty()) << "the client has not all of it yet";
    all_written(1);
    const auto first = all<Record>(everything);
    ASSERT_EQ(first.size(), 1U);
    EXPECT_EQ(first[0].delivery.delivered_tokens, 2U);
    EXPECT_FALSE(first[0].delivery.last);
    everything.clear();
    piece(again, 1, "three");
    end(again, 2);
    all_written(1);
    const auto second = all<Record>(everything);
    ASSERT_EQ(second.size(), 1U);
    EXPECT_EQ(second[0].delivery.work, first[0].delivery.work);
    EXPECT_EQ(second[0].delivery.delivered_tokens, 2U) << "one has no text";
    EXPECT_EQ(second[0].delivery.prompt_tokens, 5U);
    EXPECT_TRUE(second[0].delivery.last);
}

// A whole answer is the client's in one piece, or not at all.
TEST_F(GatewayPlacement, OfAFailedWholeAnswerNothingWasDelivered) {
    announce("car");
    const Tell open = opened(ask(1, ask_whole));
    piece(open, 1, "one");
    everything.clear();
    feed(CarLeft{open.vehicle, open.incarnation});
    EXPECT_TRUE(all<Record>(everything).empty());
    pass(migration_time_max + base::seconds(1));
    const auto records = all<Record>(everything);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].delivery.delivered_tokens, 0U);
    EXPECT_FALSE(records[0].delivery.last);
}

// A prompt may take longer than anybody would wait for a car.
TEST_F(GatewayPlacement, ALongPrefillLeavesTimeToFindAnotherCar) {
    announce("car");
    const Tell open = opened(ask(1, ask_whole));
    for (const base::Instant end = now + waiting_time_max + base::seconds(5); now < end;) {
        now = now + base::milliseconds(250);
        announce("car");
        say(open, core::Alive{1, 0});
        feed(Tick{});
    }
    say(open, core::Numbered{1, core::Yielded{core::Reason::occupied}});
    announce("car", core::Reason::occupied);
    EXPECT_TRUE(all<Respond>(pass(base::seconds(3))).empty());
    announce("other");
    EXPECT_EQ(
        answer(say(opened(everything), core::Numbered{1, core::Finished{{}, 1, 1, 0}})).status,
        200);
}

TEST_F(GatewayPlacement, CarsThatOnlyAnnounceThemselvesDoNotProlongTheWait) {
    ask(1, ask_whole);
    everything.clear();
    const base::Instant end = now + waiting_time_max + base::seconds(1);
    while (now < end && all<Respond>(everything).empty()) {
        now = now + base::milliseconds(500);
        const Effects effects = announce("deaf");
        for (const Tell& tell : all_opened(effects))
            feed(Unheard{tell.attempt});
        feed(Tick{});
    }
    EXPECT_EQ(all<Respond>(everything).size(), 1U);
}

TEST_F(GatewayPlacement, DemandSaysWhatWaitsAndRuns) {
    slots = 1;
    announce("car");
    const Tell open = opened(ask(1));
    ask(2);
    piece(open, 1, "x");
    now = now + base::seconds(2);
    auto demand = core.take_demand(now);
    ASSERT_EQ(demand.size(), 1U);
    EXPECT_EQ(demand[0].model, "m");
    EXPECT_EQ(demand[0].running, 1U);
    EXPECT_EQ(demand[0].waiting, 1U);
    EXPECT_GT(demand[0].tokens_per_second, 0.0);
    now = now + base::seconds(2);
    EXPECT_EQ(core.take_demand(now).at(0).tokens_per_second, 0.0);
}

}  // namespace
}  // namespace idlewatt::gateway
