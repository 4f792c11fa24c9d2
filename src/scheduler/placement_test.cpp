// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What must hold for any fleet; single stories are in tests/cases/placement.
#include "scheduler/placement.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::scheduler {
namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

struct Fleet {
    std::vector<CarToPlace> cars;
    std::vector<ModelToPlace> models;
};

Fleet random_fleet(base::Prng& prng) {
    Fleet fleet;
    const std::uint64_t models = 1 + prng.below(8);
    for (std::uint64_t m = 0; m < models; ++m) {
        fleet.models.push_back({.bytes = (1 + prng.below(24)) * gib,
                                .replicas_min = static_cast<std::uint32_t>(prng.below(5)),
                                .demand = prng.chance(0.3) ? 0.0 : prng.unit() * 100});
    }
    const std::uint64_t cars = prng.below(60);
    for (std::uint64_t c = 0; c < cars; ++c) {
        CarToPlace car{.memory_bytes = (2 + prng.below(30)) * gib};
        if (prng.chance(0.7))
            car.model = static_cast<ModelNumber>(prng.below(models));
        car.moving = car.model && prng.chance(0.1);
        car.fixed = prng.chance(0.05);
        while (prng.chance(0.4))
            car.cached.push_back(static_cast<ModelNumber>(prng.below(models)));
        if (prng.chance(0.5))
            car.stay_p50 = base::minutes(static_cast<std::int64_t>(prng.below(100)));
        fleet.cars.push_back(std::move(car));
    }
    return fleet;
}

void apply(Fleet& fleet, const std::vector<PlacementChange>& changes) {
    for (const PlacementChange& change : changes) {
        fleet.cars[change.car].model = change.model;
        fleet.cars[change.car].moving = change.model.has_value();
    }
}

void load_all(Fleet& fleet) {
    for (CarToPlace& car : fleet.cars)
        car.moving = false;
}

bool useful(const Fleet& fleet, const CarToPlace& car) {
    return car.model && (car.fixed || fits(fleet.models[*car.model], car));
}

std::vector<std::uint32_t> held(const Fleet& fleet, bool serving_only = false) {
    std::vector<std::uint32_t> count(fleet.models.size(), 0);
    for (const CarToPlace& car : fleet.cars) {
        if (useful(fleet, car) && !(serving_only && car.moving))
            ++count[*car.model];
    }
    return count;
}

// Places and loads until nothing changes; returns how often.
int settle(Fleet& fleet) {
    for (int rounds = 0; rounds < 500; ++rounds) {
        const auto changes = place(fleet.cars, fleet.models);
        if (changes.empty())
            return rounds;
        apply(fleet, changes);
        load_all(fleet);
    }
    return -1;
}

TEST(Placement, AppliedOnceItAsksForNothingMore) {
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        base::Prng prng(seed);
        Fleet fleet = random_fleet(prng);
        const auto changes = place(fleet.cars, fleet.models);
        ASSERT_EQ(place(fleet.cars, fleet.models), changes);
        for (const PlacementChange& change : changes) {
            const CarToPlace& car = fleet.cars[change.car];
            ASSERT_FALSE(car.fixed);
            ASSERT_NE(car.model, change.model);
            ASSERT_TRUE(!change.model || fits(fleet.models[*change.model], car));
        }
        apply(fleet, changes);
        ASSERT_EQ(place(fleet.cars, fleet.models), std::vector<PlacementChange>{}) << seed;
    }
}

TEST(Placement, ReachesEveryMinimumThatCanBeHad) {
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
        base::Prng prng(seed);
        Fleet fleet = random_fleet(prng);
        const PlacementTargets targets = placement_targets(fleet.cars, fleet.models);
        const int rounds = settle(fleet);
        ASSERT_GE(rounds, 0) << seed;
        const auto count = held(fleet);
        for (std::size_t m = 0; m < count.size(); ++m)
            ASSERT_GE(count[m], targets.minimum[m]) << seed << " model " << m;
        // Nobody who could hold something holds nothing.
        for (const CarToPlace& car : fleet.cars) {
            const bool could = std::ranges::any_of(
                fleet.models, [&](const ModelToPlace& model) { return fits(model, car); });
            ASSERT_TRUE(car.fixed || car.model.has_value() == could);
        }
    }
}

// Without fixed cars: the largest models take from those that fit first; if that gives every model
// its minimum, the targets must as well, and otherwise no more cars can be put to use.
TEST(Placement, FindsTheMinimumOfAllWheneverThereIsAWay) {
    int possible_count = 0;
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        base::Prng prng(seed);
        Fleet fleet = random_fleet(prng);
        for (CarToPlace& car : fleet.cars)
            car.fixed = false;
        std::vector<std::size_t> by_size(fleet.models.size());
        std::iota(by_size.begin(), by_size.end(), std::size_t{0});
        std::ranges::sort(by_size, std::greater{},
                          [&](std::size_t m) { return fleet.models[m].bytes; });
        std::vector<CarToPlace> left = fleet.cars;
        bool possible = true;
        for (const std::size_t m : by_size) {
            for (std::uint32_t i = 0; i < fleet.models[m].replicas_min; ++i) {
                const auto car = std::ranges::find_if(
                    left, [&](const CarToPlace& it) { return fits(fleet.models[m], it); });
                possible = possible && car != left.end();
                if (car != left.end())
                    left.erase(car);
            }
        }
        possible_count += possible ? 1 : 0;
        const PlacementTargets targets = placement_targets(fleet.cars, fleet.models);
        for (std::size_t m = 0; possible && m < by_size.size(); ++m)
            ASSERT_EQ(targets.minimum[m], fleet.models[m].replicas_min) << seed;
        const auto usable = static_cast<std::uint32_t>(
            std::ranges::count_if(fleet.cars, [&](const CarToPlace& car) {
                return std::ranges::any_of(
                    fleet.models, [&](const ModelToPlace& model) { return fits(model, car); });
            }));
        ASSERT_EQ(std::accumulate(targets.wanted.begin(), targets.wanted.end(), 0U), usable);
    }
    EXPECT_GT(possible_count, 500);
    EXPECT_LT(possible_count, 1900);
}

TEST(Placement, TakesNoMoreAtOnceThanItsShareAndNeverTheLastThatServe) {
    for (std::uint64_t seed = 0; seed < 1500; ++seed) {
        base::Prng prng(seed);
        Fleet fleet = random_fleet(prng);
        for (int round = 0; round < 4; ++round) {
            const auto minimum = placement_targets(fleet.cars, fleet.models).minimum;
            const auto serving = held(fleet, true);
            const auto moving =
                static_cast<double>(std::ranges::count_if(fleet.cars, [&](const CarToPlace& car) {
                    return useful(fleet, car) && car.moving;
                }));
            double taken = 0;
            const auto changes = place(fleet.cars, fleet.models);
            for (const PlacementChange& change : changes)
                taken += useful(fleet, fleet.cars[change.car]) ? 1 : 0;
            const double limit =
                std::max(1.0, placement_moves_share_max * static_cast<double>(fleet.cars.size()));
            ASSERT_TRUE(taken == 0 || moving + taken <= limit) << seed;
            apply(fleet, changes);
            const auto after = held(fleet, true);
            for (std::size_t m = 0; m < minimum.size(); ++m)
                ASSERT_GE(after[m], std::min(serving[m], minimum[m])) << seed;
            if (prng.chance(0.5))
                load_all(fleet);
            for (ModelToPlace& model : fleet.models)
                model.demand *= prng.unit() * 3;
        }
    }
}

// Many equal cars: each model's share of the cars is within the slack of its share of the demand.
TEST(Placement, FollowsDemand) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        base::Prng prng(seed);
        Fleet fleet;
        double demand = 0;
        for (int m = 0; m < 5; ++m) {
            fleet.models.push_back({.bytes = 4 * gib, .demand = 20 + prng.unit() * 80});
            demand += fleet.models.back().demand;
        }
        for (int c = 0; c < 400; ++c)
            fleet.cars.push_back({.memory_bytes = 16 * gib, .model = prng.chance(0.9) ? 0U : 1U});
        ASSERT_GE(settle(fleet), 0);
        const auto count = held(fleet);
        for (std::size_t m = 0; m < count.size(); ++m) {
            const double fair = 400 * fleet.models[m].demand / demand;
            EXPECT_NEAR(count[m] / fair, 1.0, placement_slack + 0.05) << seed;
        }
        // What is a little different tomorrow moves nothing.
        for (ModelToPlace& model : fleet.models)
            model.demand *= 0.98 + prng.unit() * 0.02;
        const auto changes = place(fleet.cars, fleet.models);
        EXPECT_LE(changes.size(), 8U) << seed;
    }
}

TEST(Placement, OneCarMoreNeverMakesAModelLoseOne) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        base::Prng prng(seed);
        Fleet fleet;
        for (int m = 0; m < 6; ++m) {
            fleet.models.push_back({.bytes = 4 * gib,
                                    .replicas_min = static_cast<std::uint32_t>(prng.below(3)),
                                    .demand = prng.unit() * 100});
        }
        std::vector<std::uint32_t> before(fleet.models.size(), 0);
        for (int c = 0; c < 60; ++c) {
            fleet.cars.push_back({.memory_bytes = 16 * gib});
            const auto targets = placement_targets(fleet.cars, fleet.models);
            for (std::size_t m = 0; m < before.size(); ++m)
                ASSERT_GE(targets.wanted[m], before[m]);
            before = targets.wanted;
        }
    }
}

// Demand that swings by a tenth every minute for a day, smoothed as the coordinator does.
TEST(Placement, ANoisyDayMovesFewCars) {
    base::Prng prng(4);
    Fleet fleet;
    for (int m = 0; m < 4; ++m)
        fleet.models.push_back({.bytes = 4 * gib});
    for (ModelNumber c = 0; c < 100; ++c)
        fleet.cars.push_back({.memory_bytes = 16 * gib, .model = c % 4});
    std::vector<DemandTrace> traces(4);
    std::size_t changed = 0;
    for (int minute = 0; minute < 24 * 60; ++minute) {
        for (std::size_t m = 0; m < 4; ++m) {
            traces[m].see(50 * (0.8 + 0.4 * prng.unit()), base::Instant{} + base::minutes(minute));
            fleet.models[m].demand = traces[m].value();
        }
        const auto changes = place(fleet.cars, fleet.models);
        changed += changes.size();
        apply(fleet, changes);
        load_all(fleet);
    }
    RecordProperty("changes", static_cast<int>(changed));
    EXPECT_LE(changed, 5U);
}

TEST(DemandTrace, FollowsWithItsTimeConstant) {
    DemandTrace trace;
    EXPECT_EQ(trace.value(), 0.0);
    trace.see(10, base::Instant{});
    EXPECT_EQ(trace.value(), 10.0);
    trace.see(0, base::Instant{} + demand_memory);
    EXPECT_NEAR(trace.value(), 10 / std::exp(1.0), 1e-9);
    trace.see(100, base::Instant{} + demand_memory);
    EXPECT_NEAR(trace.value(), 10 / std::exp(1.0), 1e-9);
}

TEST(Placement, TakesEmptyFleetsAndEmptyRegistries) {
    EXPECT_TRUE(place({}, {}).empty());
    const std::vector<CarToPlace> cars(3, CarToPlace{.memory_bytes = gib});
    EXPECT_TRUE(place(cars, {}).empty());
    const std::vector<ModelToPlace> models(3);
    EXPECT_TRUE(place({}, models).empty());
}

}  // namespace
}  // namespace idlewatt::scheduler
