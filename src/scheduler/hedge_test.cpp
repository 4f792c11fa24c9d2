// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/hedge.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <vector>

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::scheduler {
namespace {

// Log-normal around median_s; by the central limit theorem, twelve uniform draws.
base::Duration log_normal(base::Prng& prng, double median_s, double sigma) {
    double normal = -6.0;
    for (int i = 0; i < 12; ++i)
        normal += prng.unit();
    return base::from_seconds(median_s * std::exp(sigma * normal));
}

TEST(LatencySketch, IsOffByOneStepAtMost) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        base::Prng prng(seed);
        LatencySketch sketch;
        EXPECT_FALSE(sketch.quantile(0.5));
        std::vector<base::Duration> samples;
        // So few that fading hardly counts.
        for (int i = 0; i < 40; ++i) {
            samples.push_back(log_normal(prng, 0.3, 1.5));
            sketch.add(samples.back());
        }
        std::ranges::sort(samples);
        for (const double q : {0.5, 0.9, 1.0}) {
            const auto lower = samples[static_cast<std::size_t>(q * 39) - 2];
            const auto upper =
                samples[std::min<std::size_t>(39, static_cast<std::size_t>(q * 39) + 2)];
            const auto found = *sketch.quantile(q);
            EXPECT_GE(found.seconds(), lower.seconds() * 0.999) << q;
            EXPECT_LE(found.seconds(), upper.seconds() * sketch_step * 1.001) << q;
        }
    }
}

TEST(LatencySketch, FollowsAChangingWorld) {
    base::Prng prng(1);
    LatencySketch sketch;
    for (int i = 0; i < 100'000; ++i)
        sketch.add(base::milliseconds(2000));
    for (int i = 0; i < 3000; ++i)
        sketch.add(base::milliseconds(100));
    EXPECT_LT(sketch.quantile(0.95)->seconds(), 0.12);
    EXPECT_NEAR(sketch.weight(), sketch_half_life_samples / std::log(2.0), 10.0);
}

TEST(LatencySketch, TakesAnything) {
    LatencySketch sketch;
    for (const base::Duration odd : {base::Duration{}, base::Duration{-5}, base::minutes(100'000)})
        sketch.add(odd);
    EXPECT_EQ(sketch.quantile(0.1), sketch_min);
    EXPECT_GT(sketch.quantile(1.0)->seconds(), 900);
}

TEST(Hedge, NobodyIsLateBeforeEnoughIsKnown) {
    Hedge hedge;
    for (int i = 0; i < 1000; ++i)
        hedge.request_started();
    EXPECT_FALSE(hedge.late_after(100));
    EXPECT_FALSE(hedge.take(100, base::minutes(10)));
    for (int i = 0; i < 45; ++i)
        hedge.first_token(100, base::milliseconds(20));
    EXPECT_EQ(hedge.late_after(100), hedge_floor);
    EXPECT_FALSE(hedge.take(100, hedge_floor));
    EXPECT_TRUE(hedge.take(100, hedge_floor + base::milliseconds(1)));
    // Long prompts are another matter.
    EXPECT_FALSE(hedge.late_after(100'000));
}

TEST(Hedge, NeverSpendsMoreThanItsShare) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        base::Prng prng(seed);
        Hedge hedge;
        std::uint64_t started = 0;
        std::uint64_t hedged = 0;
        for (int i = 0; i < 20'000; ++i) {
            // The worst case: the whole fleet becomes slower and slower, everybody is late.
            hedge.request_started();
            ++started;
            hedge.first_token(500, base::milliseconds(600 + i / 10));
            if (!prng.chance(0.7) || !hedge.take(500, base::minutes(1)))
                continue;
            if (prng.chance(0.1)) {
                hedge.give_back();
            } else {
                ++hedged;
            }
            ASSERT_LE(static_cast<double>(hedged),
                      hedge_share * static_cast<double>(started) + 1e-6);
        }
        EXPECT_GT(static_cast<double>(hedged), 0.045 * static_cast<double>(started));
    }
}

// One car in thirty hangs for ten seconds before its first token. Prints what hedging buys.
TEST(Hedge, CutsTheTailForAFewPerCentOfWork) {
    constexpr int requests = 20'000;
    for (const bool hedging : {false, true}) {
        base::Prng prng(7);
        const auto ask_car = [&] {
            const base::Duration usual = log_normal(prng, 0.4, 0.5);
            return prng.chance(1.0 / 30) ? usual + base::seconds(10) : usual;
        };
        Hedge hedge;
        std::vector<base::Duration> waits;
        int second = 0;
        for (int i = 0; i < requests; ++i) {
            hedge.request_started();
            base::Duration waited = ask_car();
            const auto late = hedge.late_after(2000);
            const base::Duration tick = base::milliseconds(50);
            if (hedging && late && waited > *late + tick && hedge.take(2000, *late + tick)) {
                ++second;
                const base::Duration other = *late + tick + ask_car();
                hedge.first_token(2000, std::min(waited, other));
                waited = std::min(waited, other);
            } else {
                hedge.first_token(2000, waited);
            }
            waits.push_back(waited);
        }
        std::ranges::sort(waits);
        const double p99_s = waits[requests * 99 / 100].seconds();
        std::cout << (hedging ? "with" : "without") << " hedging: p50 "
                  << waits[requests / 2].seconds() << " s, p99 " << p99_s << " s, second attempts "
                  << 100.0 * second / requests << " %\n";
        EXPECT_LE(second, requests * hedge_share);
        if (hedging) {
            EXPECT_LT(p99_s, 4.0);
        } else {
            EXPECT_GT(p99_s, 10.0);
        }
    }
}

}  // namespace
}  // namespace idlewatt::scheduler
