// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/breaker.hpp"

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::scheduler {
namespace {

const core::VehicleId car("car-1");

base::Instant second(double seconds) {
    return base::Instant{} + base::from_seconds(seconds);
}

// Opens it with failures one second apart; returns when the last one was.
double open(Breakers& breakers, double from) {
    for (std::size_t i = 0; i < breaker_failures_max; ++i)
        breakers.attempt_ended(car, Ending::engine_failed, second(from + static_cast<double>(i)));
    return from + static_cast<double>(breaker_failures_max - 1);
}

TEST(Breaker, JudgesOnlyWhatAHealthyCarWouldNotDo) {
    for (const Ending ending : {Ending::engine_failed, Ending::silent, Ending::misbehaved})
        EXPECT_EQ(judge_car(ending), Judgement::bad);
    for (const Ending ending :
         {Ending::client_error, Ending::client_gone, Ending::yielded, Ending::busy}) {
        EXPECT_EQ(judge_car(ending), Judgement::none);
        Breakers breakers;
        for (int i = 0; i < 1000; ++i)
            EXPECT_FALSE(breakers.attempt_ended(car, ending, second(i * 0.5)));
        EXPECT_TRUE(breakers.allows(car, second(500)));
        EXPECT_EQ(breakers.size(), 0U);
    }
    EXPECT_EQ(judge_car(Ending::answered), Judgement::good);
}

TEST(Breaker, OpensAfterFailuresWithinTheWindowOnly) {
    Breakers slow;
    const double apart = breaker_window.seconds() / (breaker_failures_max - 1) + 1;
    for (int i = 0; i < 20; ++i) {
        slow.attempt_ended(car, Ending::silent, second(i * apart));
        EXPECT_TRUE(slow.allows(car, second(i * apart)));
    }
    Breakers breakers;
    const double opened = open(breakers, 100);
    EXPECT_EQ(breakers.state(car, second(opened)), BreakerState::open);
    EXPECT_FALSE(breakers.allows(car, second(opened)));
    EXPECT_TRUE(breakers.allows(core::VehicleId("car-2"), second(opened)));
    EXPECT_EQ(breakers.open_count(second(opened)), 1U);
}

TEST(Breaker, TakesTheAnswersThatOneCrashEndsForOneFailure) {
    Breakers breakers;
    for (int i = 0; i < 64; ++i)
        breakers.attempt_ended(car, Ending::engine_failed, second(5 + i * 0.004));
    EXPECT_TRUE(breakers.allows(car, second(6)));
}

TEST(Breaker, AllowsOneProbeAndClosesWhenItIsAnswered) {
    Breakers breakers;
    const double half = open(breakers, 0) + breaker_hold_off_first.seconds();
    EXPECT_FALSE(breakers.allows(car, second(half - 0.1)));
    EXPECT_EQ(breakers.state(car, second(half)), BreakerState::half_open);
    EXPECT_TRUE(breakers.allows(car, second(half)));
    breakers.attempt_began(car, second(half));
    EXPECT_FALSE(breakers.allows(car, second(half + 1)));
    EXPECT_TRUE(breakers.attempt_ended(car, Ending::answered, second(half + 2)));
    EXPECT_EQ(breakers.state(car, second(half + 2)), BreakerState::closed);
    EXPECT_TRUE(breakers.allows(car, second(half + 2)));
    // And counts from the beginning.
    breakers.attempt_ended(car, Ending::silent, second(half + 3));
    EXPECT_TRUE(breakers.allows(car, second(half + 3)));
}

TEST(Breaker, AProbeThatSaysNothingIsGivenBack) {
    Breakers breakers;
    const double half = open(breakers, 0) + breaker_hold_off_first.seconds();
    breakers.attempt_began(car, second(half));
    EXPECT_TRUE(breakers.attempt_ended(car, Ending::client_gone, second(half + 1)));
    EXPECT_EQ(breakers.state(car, second(half + 1)), BreakerState::half_open);
    EXPECT_TRUE(breakers.allows(car, second(half + 1)));
    breakers.attempt_began(car, second(half + 2));
    EXPECT_FALSE(breakers.allows(car, second(half + 3)));
    // Lost without a word: not for ever.
    EXPECT_TRUE(breakers.allows(car, second(half + 3 + breaker_probe_max.seconds())));
}

TEST(Breaker, HoldsOffTwiceAsLongEachTimeUpToALimit) {
    Breakers breakers;
    double now = open(breakers, 0);
    double hold_off = breaker_hold_off_first.seconds();
    for (int i = 0; i < 12; ++i) {
        EXPECT_FALSE(breakers.allows(car, second(now + hold_off - 0.01))) << i;
        now += hold_off + 0.01;
        ASSERT_TRUE(breakers.allows(car, second(now))) << i;
        breakers.attempt_began(car, second(now));
        breakers.attempt_ended(car, Ending::engine_failed, second(now));
        hold_off = std::min(2 * hold_off, breaker_hold_off_max.seconds());
    }
    EXPECT_EQ(hold_off, breaker_hold_off_max.seconds());
}

TEST(Breaker, OneGoodAnswerDoesNotForgiveTheHoldOff) {
    Breakers breakers;
    double now = open(breakers, 0) + breaker_hold_off_first.seconds();
    breakers.attempt_began(car, second(now));
    breakers.attempt_ended(car, Ending::answered, second(now + 1));
    now = open(breakers, now + 2);
    EXPECT_FALSE(breakers.allows(car, second(now + 1.9 * breaker_hold_off_first.seconds())));
    EXPECT_TRUE(breakers.allows(car, second(now + 2.0 * breaker_hold_off_first.seconds())));
    // Ten good minutes do.
    now += breaker_memory.seconds() + 1;
    EXPECT_EQ(breakers.state(car, second(now)), BreakerState::closed);
    now = open(breakers, now);
    EXPECT_TRUE(breakers.allows(car, second(now + breaker_hold_off_first.seconds())));
}

// Whoever drops its connection, or restarts, after each failure has the same name: nothing here
// knows of connections, so nothing can be escaped by a new one. What began before it failed and
// ends well does not help either.
TEST(Breaker, AnswersFromBeforeDoNotCloseAnOpenOne) {
    Breakers breakers;
    const double opened = open(breakers, 0);
    EXPECT_FALSE(breakers.attempt_ended(car, Ending::answered, second(opened + 1)));
    EXPECT_FALSE(breakers.allows(car, second(opened + 1)));
}

TEST(Breaker, RemembersABoundedNumberOfCars) {
    Breakers breakers;
    for (std::size_t i = 0; i < breakers_max + 5000; ++i) {
        const core::VehicleId id("car-" + std::to_string(i));
        breakers.attempt_ended(id, Ending::silent, second(static_cast<double>(i) * 0.001));
    }
    EXPECT_EQ(breakers.size(), breakers_max);
    // And forgets those that behave again.
    for (int i = 0; i < 100; ++i)
        breakers.attempt_ended(core::VehicleId("new-" + std::to_string(i)), Ending::silent,
                               second(10'000));
    EXPECT_EQ(breakers.size(), breakers_max - 100);
}

// At random: open for as long as said and no longer, one probe second a time, closed for the good.
TEST(Breaker, KeepsItsPromisesInRandomHistories) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        base::Prng prng(seed);
        Breakers breakers;
        double now = 0;
        bool probing = false;
        for (int step = 0; step < 300; ++step) {
            now += prng.unit() * (prng.chance(0.1) ? 400 : 4);
            const BreakerState before = breakers.state(car, second(now));
            const bool allowed = breakers.allows(car, second(now));
            ASSERT_FALSE(before == BreakerState::open && allowed);
            ASSERT_FALSE(before == BreakerState::closed && !allowed);
            if (allowed && before == BreakerState::half_open) {
                breakers.attempt_began(car, second(now));
                probing = true;
                ASSERT_FALSE(breakers.allows(car, second(now)));
            }
            if (!probing && before != BreakerState::closed)
                continue;
            const auto ending = static_cast<Ending>(prng.below(8));
            now += prng.unit();
            const BreakerState then = breakers.state(car, second(now));
            breakers.attempt_ended(car, ending, second(now));
            const BreakerState after = breakers.state(car, second(now));
            if (judge_car(ending) == Judgement::good && then == BreakerState::half_open) {
                ASSERT_EQ(after, BreakerState::closed);
            }
            if (judge_car(ending) == Judgement::bad && then == BreakerState::half_open) {
                ASSERT_EQ(after, BreakerState::open);
            }
            if (judge_car(ending) == Judgement::none) {
                ASSERT_EQ(after, then);
            }
            probing = false;
        }
    }
}

}  // namespace
}  // namespace idlewatt::scheduler
