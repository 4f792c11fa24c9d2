// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/rate_limit.hpp"

#include <string>

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::scheduler {
namespace {

const core::KeyId key("key-1");

base::Instant after(double seconds) {
    return base::Instant{} + base::from_seconds(seconds);
}

TEST(RateLimit, WithoutLimitsEverythingIsAdmitted) {
    RateLimiter limiter;
    for (int i = 0; i < 1000; ++i) {
        const RateAnswer answer = limiter.ask(key, {}, 1'000'000, after(0));
        ASSERT_EQ(answer.verdict, RateVerdict::admitted);
        ASSERT_FALSE(answer.requests || answer.tokens || answer.retry_after_s);
    }
}

TEST(RateLimit, CountsRequestsAndSaysWhenTheNextIsTaken) {
    RateLimiter limiter;
    const core::KeyLimits limits{.requests_per_minute = 3};
    for (std::uint32_t left : {2U, 1U, 0U}) {
        const RateAnswer answer = limiter.ask(key, limits, 0, after(10));
        EXPECT_EQ(answer.verdict, RateVerdict::admitted);
        EXPECT_EQ(answer.requests->limit, 3U);
        EXPECT_EQ(answer.requests->remaining, left);
        EXPECT_EQ(answer.requests->reset, base::seconds(20 * (3 - left)));
    }
    const RateAnswer refused = limiter.ask(key, limits, 0, after(15));
    EXPECT_EQ(refused.verdict, RateVerdict::requests);
    EXPECT_EQ(refused.retry_after_s, 15U);
    EXPECT_EQ(limiter.ask(key, limits, 0, after(29)).verdict, RateVerdict::requests);
    EXPECT_EQ(limiter.ask(key, limits, 0, after(30)).verdict, RateVerdict::admitted);
    EXPECT_EQ(limiter.ask(core::KeyId("key-2"), limits, 0, after(30)).requests->remaining, 2U);
}

TEST(RateLimit, GivesBackWhatWasReservedAndNotUsed) {
    RateLimiter limiter;
    const core::KeyLimits limits{.tokens_per_minute = 1000};
    EXPECT_EQ(limiter.ask(key, limits, 900, after(0)).tokens->remaining, 100U);
    EXPECT_EQ(limiter.ask(key, limits, 200, after(0)).verdict, RateVerdict::tokens);
    limiter.ended(key, 900, 50, after(0));
    EXPECT_EQ(limiter.ask(key, limits, 900, after(0)).tokens->remaining, 50U);
    // More than reserved is owed.
    limiter.ended(key, 900, 1200, after(0));
    const RateAnswer refused = limiter.ask(key, limits, 100, after(0));
    EXPECT_EQ(refused.verdict, RateVerdict::tokens);
    EXPECT_EQ(refused.tokens->remaining, 0U);
    EXPECT_EQ(refused.retry_after_s, 21U);  // 250 owed and 100 wanted, of 1000 a minute
    EXPECT_EQ(limiter.ask(key, limits, 100, after(21)).verdict, RateVerdict::admitted);
}

TEST(RateLimit, TellsWhatCanNeverBeAdmitted) {
    RateLimiter limiter;
    const RateAnswer answer = limiter.ask(key, {.tokens_per_minute = 1000}, 1001, after(0));
    EXPECT_EQ(answer.verdict, RateVerdict::too_large);
    EXPECT_FALSE(answer.retry_after_s);
    EXPECT_EQ(answer.tokens->remaining, 1000U);
}

TEST(RateLimit, CountsRequestsAtOnce) {
    RateLimiter limiter;
    const core::KeyLimits limits{.requests_at_once = 2};
    EXPECT_EQ(limiter.ask(key, limits, 0, after(0)).verdict, RateVerdict::admitted);
    EXPECT_EQ(limiter.ask(key, limits, 0, after(0)).verdict, RateVerdict::admitted);
    const RateAnswer refused = limiter.ask(key, limits, 0, after(1000));
    EXPECT_EQ(refused.verdict, RateVerdict::at_once);
    EXPECT_EQ(refused.retry_after_s, retry_after_at_once_s);
    limiter.ended(key, 0, 0, after(1000));
    EXPECT_EQ(limiter.ask(key, limits, 0, after(1000)).verdict, RateVerdict::admitted);
}

TEST(RateLimit, ANewLimitHoldsAtOnceAndForgivesNothing) {
    RateLimiter limiter;
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(limiter.ask(key, {.requests_per_minute = 10}, 0, after(0)).verdict,
                  RateVerdict::admitted);
    EXPECT_EQ(limiter.ask(key, {.requests_per_minute = 5}, 0, after(0)).verdict,
              RateVerdict::requests);
    EXPECT_EQ(limiter.ask(key, {.requests_per_minute = 12}, 0, after(0)).requests->remaining, 1U);
    EXPECT_EQ(limiter.ask(key, {}, 0, after(0)).verdict, RateVerdict::admitted);
}

// Whatever is asked: in no minute more than two minutes' worth, never more second once than said,
// and who waits for as long as he was told is admitted.
TEST(RateLimit, KeepsItsPromisesInRandomHistories) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        base::Prng prng(seed);
        RateLimiter limiter;
        const core::KeyLimits limits{
            .requests_per_minute = static_cast<std::uint32_t>(1 + prng.below(100)),
            .tokens_per_minute = static_cast<std::uint32_t>(100 + prng.below(10'000)),
            .requests_at_once = static_cast<std::uint32_t>(1 + prng.below(10))};
        double now = 0;
        std::vector<std::uint64_t> open;
        double admitted = 0;
        double used_tokens = 0;
        for (int step = 0; step < 500; ++step) {
            now += prng.unit();
            if (!open.empty() && prng.chance(0.5)) {
                const std::uint64_t used = prng.below(open.back() + 1);
                limiter.ended(key, open.back(), used, after(now));
                used_tokens += static_cast<double>(used);
                open.pop_back();
                continue;
            }
            const std::uint64_t reserved = prng.below(limits.tokens_per_minute + 1);
            RateAnswer answer = limiter.ask(key, limits, reserved, after(now));
            ASSERT_EQ(answer.verdict == RateVerdict::admitted, !answer.retry_after_s);
            ASSERT_LE(answer.requests->remaining, limits.requests_per_minute);
            ASSERT_LE(answer.tokens->remaining, limits.tokens_per_minute);
            ASSERT_LE(answer.tokens->reset, base::minutes(2));
            if (answer.retry_after_s && answer.verdict != RateVerdict::at_once &&
                open.size() < limits.requests_at_once) {
                now += *answer.retry_after_s;
                answer = limiter.ask(key, limits, reserved, after(now));
                ASSERT_EQ(answer.verdict, RateVerdict::admitted) << seed << " " << step;
            }
            if (answer.verdict == RateVerdict::admitted) {
                open.push_back(reserved);
                ++admitted;
            }
            ASSERT_LE(open.size(), limits.requests_at_once);
            ASSERT_LE(admitted, limits.requests_per_minute * (1 + now / 60) + 1e-3);
            ASSERT_LE(used_tokens, limits.tokens_per_minute * (1 + now / 60) + 1e-3);
        }
    }
}

TEST(RateLimit, RemembersABoundedNumberOfKeys) {
    RateLimiter limiter;
    const core::KeyLimits limits{.requests_per_minute = 1, .requests_at_once = 1};
    static_cast<void>(limiter.ask(key, limits, 0, after(0)));
    for (std::size_t i = 0; i < keys_limited_max + 1000; ++i) {
        const core::KeyId id("k" + std::to_string(i));
        ASSERT_EQ(limiter.ask(id, limits, 0, after(1)).verdict, RateVerdict::admitted);
        limiter.ended(id, 0, 0, after(1));
    }
    EXPECT_EQ(limiter.size(), keys_limited_max);
    // The one that has a request open is still known.
    EXPECT_EQ(limiter.ask(key, limits, 0, after(70)).verdict, RateVerdict::at_once);
    for (int i = 0; i < 100; ++i)
        static_cast<void>(
            limiter.ask(core::KeyId("n" + std::to_string(i)), limits, 0, after(1000)));
    EXPECT_EQ(limiter.size(), keys_limited_max - 100);
}

}  // namespace
}  // namespace idlewatt::scheduler
