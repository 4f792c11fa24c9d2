// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/ready_set.hpp"

#include <array>
#include <map>

#include <gtest/gtest.h>

namespace idlewatt::scheduler {
namespace {

TEST(ReadySet, ChoosesOnlyReadyCarsThatAreNotExcluded) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        base::Prng prng(seed);
        ReadySet set;
        std::map<CarNumber, CarLoad> model;
        for (int step = 0; step < 60; ++step) {
            const auto car = static_cast<CarNumber>(prng.below(12));
            if (prng.chance(0.3)) {
                set.remove(car);
                model.erase(car);
            } else {
                CarLoad load{.slots_total = 4};
                load.slots_free = static_cast<std::uint32_t>(prng.below(5));
                set.put(car, load);
                if (load.slots_free == 0) {
                    model.erase(car);
                } else {
                    model[car] = load;
                }
            }
            ASSERT_EQ(set.size(), model.size());
            const std::array<CarNumber, 2> excluded{static_cast<CarNumber>(prng.below(12)),
                                                    static_cast<CarNumber>(prng.below(12))};
            std::size_t eligible = model.size();
            for (CarNumber other = 0; other < 12; ++other) {
                const bool out = other == excluded[0] || other == excluded[1];
                if (out && model.contains(other))
                    --eligible;
            }
            const auto chosen = set.choose(prng, excluded);
            ASSERT_EQ(chosen.has_value(), eligible > 0);
            if (chosen) {
                ASSERT_TRUE(model.contains(*chosen));
                ASSERT_NE(*chosen, excluded[0]);
                ASSERT_NE(*chosen, excluded[1]);
            }
        }
    }
}

TEST(ReadySet, SpreadsLoadFarBetterThanOneDraw) {
    // 1,000 cars with 64 slots get 32,000 answers: the fullest car stays close to the mean of 32,
    // where a single random draw would reach about 50.
    base::Prng prng(1);
    ReadySet set;
    std::map<CarNumber, CarLoad> loads;
    for (CarNumber car = 0; car < 1000; ++car) {
        loads[car] = {.slots_total = 64, .slots_free = 64};
        set.put(car, loads[car]);
    }
    for (int i = 0; i < 32'000; ++i) {
        const auto car = set.choose(prng, {});
        ASSERT_TRUE(car);
        --loads[*car].slots_free;
        set.put(*car, loads[*car]);
    }
    std::uint32_t fullest = 0;
    for (const auto& [car, load] : loads)
        fullest = std::max(fullest, 64 - load.slots_free);
    EXPECT_LE(fullest, 36U);
}

TEST(ReadySet, PrefersTheEmptierThenTheFasterCar) {
    const CarLoad empty{.slots_total = 2, .slots_free = 2};
    const CarLoad half{.slots_total = 4, .slots_free = 2};
    const CarLoad half_and_fast{.slots_total = 2, .slots_free = 1, .tokens_per_second = 90};
    EXPECT_TRUE(less_loaded(empty, half));
    EXPECT_FALSE(less_loaded(half, empty));
    EXPECT_TRUE(less_loaded(half_and_fast, half));
    EXPECT_FALSE(less_loaded(half, half));
}

}  // namespace
}  // namespace idlewatt::scheduler
