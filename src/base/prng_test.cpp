// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/prng.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace idlewatt::base {
namespace {

// From the authors' reference code: SplitMix64 from 0 fills the state of xoshiro256**.
TEST(Prng, GivesTheReferenceSequence) {
    Prng prng(0);
    EXPECT_EQ(prng.next(), 0x99ec5f36cb75f2b4ULL);
    EXPECT_EQ(prng.next(), 0xbf6e1f784956452aULL);
    EXPECT_EQ(prng.next(), 0x1a5f849d4933e6e0ULL);
}

TEST(Prng, RepeatsFromItsSeedOnly) {
    Prng a(42);
    Prng b(42);
    Prng other(43);
    bool differs = false;
    for (int i = 0; i < 100; ++i) {
        const std::uint64_t value = a.next();
        EXPECT_EQ(value, b.next());
        differs = differs || value != other.next();
    }
    EXPECT_TRUE(differs);
}

TEST(Prng, IsEvenWithinItsLimits) {
    Prng prng(1);
    constexpr int draws = 100'000;
    std::array<int, 10> count{};
    double sum = 0.0;
    int heads = 0;
    for (int i = 0; i < draws; ++i) {
        ++count.at(prng.below(count.size()));
        const double u = prng.unit();
        ASSERT_TRUE(u >= 0.0 && u < 1.0);
        sum += u;
        heads += prng.chance(0.25) ? 1 : 0;
    }
    for (const int n : count)
        EXPECT_NEAR(n, draws / 10, 500);
    EXPECT_NEAR(sum / draws, 0.5, 0.01);
    EXPECT_NEAR(heads, draws / 4, 800);
    EXPECT_EQ(prng.below(1), 0u);
}

}  // namespace
}  // namespace idlewatt::base
