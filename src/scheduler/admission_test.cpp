// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/admission.hpp"

#include <cmath>
#include <deque>
#include <functional>
#include <iostream>
#include <queue>
#include <vector>

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::scheduler {
namespace {

TEST(Admission, NeverRefusesWhileASlotIsFree) {
    for (std::uint64_t seed = 0; seed < 5000; ++seed) {
        base::Prng prng(seed);
        const std::uint64_t total = 1 + prng.below(1000);
        const Crowd crowd{.waiting = prng.below(100'000),
                          .slots_total = total,
                          .slots_free = 1 + prng.below(total),
                          .service_time = base::from_seconds(prng.unit() * 1000),
                          .nobody_for = base::from_seconds(prng.unit() * 1000)};
        const AdmissionLimits limits{.wait_max = base::from_seconds(prng.unit()),
                                     .waiting_max = prng.below(3)};
        ASSERT_EQ(admit(crowd, limits).admission, Admission::now);
    }
}

TEST(Admission, RefusesOnlyWithAnHonestRetryAfter) {
    for (std::uint64_t seed = 0; seed < 5000; ++seed) {
        base::Prng prng(seed);
        const Crowd crowd{.waiting = prng.below(200),
                          .slots_total = prng.below(10),
                          .service_time = base::from_seconds(prng.unit() * 60),
                          .nobody_for = base::from_seconds(prng.unit() * 15),
                          .car_expected = prng.chance(0.5)};
        const AdmissionAnswer answer = admit(crowd);
        ASSERT_EQ(answer.refused(), answer.retry_after_s > 0);
        ASSERT_LE(answer.retry_after_s, retry_after_max_s);
        if (crowd.slots_total > 0) {
            const double wait_s = crowd.service_time.seconds() *
                                  static_cast<double>(crowd.waiting + 1) /
                                  static_cast<double>(crowd.slots_total);
            ASSERT_NEAR(answer.expected_wait.seconds(), wait_s, 1e-6);
            ASSERT_EQ(answer.refused(), crowd.waiting >= 64 || wait_s > 30.0);
        } else {
            const base::Duration tolerated =
                crowd.car_expected ? loading_tolerated : nobody_tolerated;
            ASSERT_EQ(answer.refused(), crowd.waiting >= 64 || crowd.nobody_for > tolerated);
        }
    }
}

TEST(Admission, TellsWhatCannotBeServedFromWhatIsLate) {
    EXPECT_EQ(admit({.nobody_for = base::seconds(60)}).admission, Admission::nobody);
    EXPECT_EQ(admit({.nobody_for = base::seconds(60)}).retry_after_s, retry_after_nobody_s);
    // A car that restarts, a gateway that has just begun to listen.
    EXPECT_EQ(admit({.nobody_for = base::seconds(2)}).admission, Admission::waits);
    // Ten slots, half a minute each: the eleventh waiter waits more than half a minute.
    Crowd crowd{.waiting = 9, .slots_total = 10, .service_time = base::seconds(30)};
    EXPECT_EQ(admit(crowd).admission, Admission::waits);
    crowd.waiting = 11;
    EXPECT_EQ(admit(crowd).admission, Admission::crowded);
    EXPECT_EQ(admit(crowd).retry_after_s, 6U);
    EXPECT_EQ(name(Admission::crowded), "crowded");
}

TEST(ServiceTime, IsAMeanThatFades) {
    ServiceTime time;
    EXPECT_EQ(time.mean(), service_time_assumed);
    time.ended(base::seconds(2));
    EXPECT_EQ(time.mean(), base::seconds(2));
    time.ended(base::seconds(4));
    EXPECT_NEAR(time.mean().seconds(), 3.0, 1e-9);
    for (int i = 0; i < 500; ++i)
        time.ended(base::seconds(20));
    EXPECT_NEAR(time.mean().seconds(), 20.0, 0.1);
}

// A queue before busy slots: what is estimated on arrival against what is waited in the end.
TEST(Admission, EstimatesTheWaitOfARealQueue) {
    base::Prng prng(11);
    constexpr int slots = 8;
    std::priority_queue<double, std::vector<double>, std::greater<>> ends;
    for (int i = 0; i < slots; ++i)
        ends.push(prng.unit() * 5);
    struct Waiter {
        double came;
        double expected;
    };
    std::deque<Waiter> queue;
    ServiceTime time;
    double now = 0;
    double expected_sum = 0;
    double waited_sum = 0;
    int refused = 0;
    int served = 0;
    while (served < 20'000) {
        now += -std::log(1.0 - prng.unit()) * 0.45;  // a little more than 8 slots of 5 s can take
        while (!ends.empty() && !queue.empty() && ends.top() <= now) {
            const double free_at = ends.top();
            ends.pop();
            const Waiter next = queue.front();
            queue.pop_front();
            expected_sum += next.expected;
            waited_sum += free_at - next.came;
            ++served;
            const double takes = -std::log(1.0 - prng.unit()) * 5.0;
            time.ended(base::from_seconds(takes));
            ends.push(free_at + takes);
        }
        const Crowd crowd{.waiting = queue.size(),
                          .slots_total = slots,
                          .slots_free = queue.empty() && ends.top() <= now ? 1U : 0U,
                          .service_time = time.mean()};
        const AdmissionAnswer answer = admit(crowd, {.wait_max = base::seconds(20)});
        if (answer.admission == Admission::waits) {
            queue.push_back({now, answer.expected_wait.seconds()});
        } else if (answer.refused()) {
            ++refused;
        } else {
            ends.pop();
            ends.push(now - std::log(1.0 - prng.unit()) * 5.0);
        }
    }
    std::cout << "waits: " << waited_sum / served << " s, estimated " << expected_sum / served
              << " s, refused " << refused << " of " << refused + served << '\n';
    EXPECT_NEAR(expected_sum / waited_sum, 1.0, 0.15);
    EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace idlewatt::scheduler
