// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/affinity_ring.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "scheduler/car_places.hpp"
#include "scheduler/stable_hash.hpp"

namespace idlewatt::scheduler {
namespace {

std::uint64_t identity(std::uint32_t car) {
    return stable_hash("car-" + std::to_string(car));
}

AffinityRing ring_of(std::uint32_t cars) {
    AffinityRing ring;
    for (std::uint32_t car = 0; car < cars; ++car)
        ring.add(identity(car), car);
    return ring;
}

std::uint32_t first(const AffinityRing& ring, std::uint64_t key) {
    return *AffinityRing::Walk(ring, mixed(key)).next();
}

// What the order means, word for word: every car by its shortest way from any of the key's points.
std::vector<std::uint32_t> order_by_definition(const std::set<std::uint32_t>& cars,
                                               std::uint64_t key) {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> ways;
    for (const std::uint32_t car : cars) {
        std::uint64_t way = UINT64_MAX;
        for (std::size_t i = 0; i < probes_per_key; ++i)
            way = std::min(way, identity(car) - mixed(key + i * 0x9e3779b97f4a7c15ULL));
        ways.emplace_back(way, car);
    }
    std::ranges::sort(ways);
    std::vector<std::uint32_t> order;
    for (const auto& [way, car] : ways)
        order.push_back(car);
    return order;
}

TEST(StableHash, IsTheSameEverywhere) {
    EXPECT_EQ(mixed(0), 0xe220a8397b1dcdafULL);  // the first word of SplitMix64 from seed 0
    EXPECT_EQ(stable_hash(""), mixed(0xcbf29ce484222325ULL));
    EXPECT_EQ(stable_hash("a"), mixed(0xaf63dc4c8601ec8cULL));  // FNV-1a's published value
    EXPECT_NE(stable_hash("a", stable_hash("b")), stable_hash("b", stable_hash("a")));
}

TEST(AffinityRing, IsARendezvousWhateverComesAndGoes) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        base::Prng prng(seed);
        AffinityRing ring;
        std::set<std::uint32_t> cars;
        const std::uint64_t population = 1 + prng.below(120);
        for (int step = 0; step < 200; ++step) {
            const auto car = static_cast<std::uint32_t>(prng.below(population));
            if (cars.insert(car).second) {
                ring.add(identity(car), car);
            } else {
                cars.erase(car);
                ring.remove(identity(car), car);
            }
            ASSERT_EQ(ring.size(), cars.size());
            if (step % 10 != 0)
                continue;
            const std::uint64_t key = prng.next();
            AffinityRing::Walk walk(ring, key);
            std::vector<std::uint32_t> order;
            while (const auto next = walk.next())
                order.push_back(*next);
            ASSERT_EQ(order, order_by_definition(cars, key)) << seed << " " << step;
        }
    }
}

// Names that were chosen to lie close together, at the ends of the ring or all in one place:
// slower, but the same order. And cars that are renumbered keep their place in it.
TEST(AffinityRing, IsARendezvousForCrowdedNamesToo) {
    const std::array<std::uint64_t, 4> middles{0, UINT64_MAX, 1ULL << 63, 12'345};
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        base::Prng prng(seed);
        AffinityRing ring;
        std::map<std::uint64_t, std::uint32_t> cars;
        std::uint32_t number = 0;
        for (int step = 0; step < 400; ++step) {
            const std::uint64_t name = middles[prng.below(middles.size())] + prng.below(64) - 32;
            // The last one would share its point with the one before it.
            const std::uint64_t identity = std::min(name, UINT64_MAX - 1);
            const auto known = cars.find(identity);
            if (known == cars.end()) {
                cars.emplace(identity, ++number);
                ring.add(identity, number);
            } else if (prng.chance(0.5)) {
                ring.renumber(identity, known->second, ++number);
                known->second = number;
            } else {
                ring.remove(identity, known->second);
                cars.erase(known);
            }
            if (step % 20 != 0)
                continue;
            const std::uint64_t key = prng.next();
            std::vector<std::pair<std::uint64_t, std::uint32_t>> ways;
            for (const auto& [point, car] : cars) {
                std::uint64_t way = UINT64_MAX;
                for (std::size_t i = 0; i < probes_per_key; ++i)
                    way = std::min(way, point - mixed(key + i * 0x9e3779b97f4a7c15ULL));
                ways.emplace_back(way, car);
            }
            std::ranges::sort(ways);
            AffinityRing::Walk walk(ring, key);
            for (const auto& [way, car] : ways)
                ASSERT_EQ(walk.next(), car) << seed << " " << step;
            ASSERT_EQ(walk.next(), std::nullopt);
        }
    }
}

TEST(AffinityRing, CarsOfOneNameAreAllNamed) {
    AffinityRing ring;
    std::set<std::uint32_t> cars;
    for (std::uint32_t car = 0; car < 40; ++car) {
        for (const std::uint64_t identity : {std::uint64_t{0}, UINT64_MAX, std::uint64_t{7} << 60})
            ring.add(identity, *cars.insert(static_cast<std::uint32_t>(cars.size())).first);
    }
    for (std::uint64_t key = 0; key < 50; ++key) {
        AffinityRing::Walk walk(ring, mixed(key));
        std::set<std::uint32_t> named;
        while (const auto next = walk.next())
            ASSERT_TRUE(named.insert(*next).second);
        ASSERT_EQ(named, cars);
    }
}

TEST(CarPlaces, MatchAMapWhateverComesAndGoes) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        base::Prng prng(seed);
        CarPlaces places;
        std::map<CarNumber, std::uint32_t> model;
        const std::uint64_t population = 1 + prng.below(300);
        const auto stride = static_cast<CarNumber>(1 + prng.below(1'000'000));
        for (int step = 0; step < 3000; ++step) {
            const CarNumber car = static_cast<CarNumber>(prng.below(population)) * stride;
            if (prng.chance(0.6)) {
                const auto place = static_cast<std::uint32_t>(prng.below(1000));
                places.set(car, place);
                model[car] = place;
            } else if (model.erase(car) > 0) {
                places.erase(car);
            }
            const CarNumber asked = static_cast<CarNumber>(prng.below(population)) * stride;
            const auto expected = model.find(asked);
            ASSERT_EQ(places.find(asked),
                      expected == model.end() ? std::nullopt : std::optional(expected->second));
            ASSERT_EQ(places.size(), model.size());
        }
        for (const auto& [car, place] : model)
            ASSERT_EQ(places.find(car), place);
    }
}

TEST(AffinityRing, ACarThatLeavesMovesOnlyItsOwn) {
    constexpr std::uint32_t cars = 500;
    constexpr std::uint64_t keys = 20'000;
    AffinityRing ring = ring_of(cars);
    std::vector<std::uint32_t> before;
    std::vector<std::uint32_t> second;
    for (std::uint64_t key = 0; key < keys; ++key) {
        AffinityRing::Walk walk(ring, mixed(key));
        before.push_back(*walk.next());
        second.push_back(*walk.next());
    }
    for (const std::uint32_t gone : {0U, 77U, 499U}) {
        ring.remove(identity(gone), gone);
        for (std::uint64_t key = 0; key < keys; ++key)
            ASSERT_EQ(first(ring, key), before[key] == gone ? second[key] : before[key]);
        ring.add(identity(gone), gone);
    }
}

TEST(AffinityRing, ACarThatComesTakesItsShareForItselfOnly) {
    constexpr std::uint32_t cars = 500;
    constexpr std::uint64_t keys = 20'000;
    AffinityRing ring = ring_of(cars);
    std::vector<std::uint32_t> before;
    for (std::uint64_t key = 0; key < keys; ++key)
        before.push_back(first(ring, key));
    std::uint64_t taken = 0;
    constexpr std::uint32_t newcomers = 40;
    for (std::uint32_t comes = cars; comes < cars + newcomers; ++comes) {
        ring.add(identity(comes), comes);
        for (std::uint64_t key = 0; key < keys; ++key) {
            const std::uint32_t now = first(ring, key);
            if (now == before[key])
                continue;
            ASSERT_EQ(now, comes);
            ++taken;
        }
        ring.remove(identity(comes), comes);
    }
    const double share = static_cast<double>(taken) / (newcomers * keys);
    RecordProperty("share_of_mean", std::to_string(share * (cars + 1)));
    EXPECT_NEAR(share * (cars + 1), 1.0, 0.1);
}

TEST(AffinityRing, SpreadsKeysEvenly) {
    constexpr std::uint32_t cars = 200;
    constexpr std::uint64_t keys = 200'000;
    const AffinityRing ring = ring_of(cars);
    std::map<std::uint32_t, std::uint64_t> taken;
    for (std::uint64_t key = 0; key < keys; ++key)
        ++taken[first(ring, key)];
    std::uint64_t most = 0;
    for (const auto& [car, count] : taken)
        most = std::max(most, count);
    const double peak = static_cast<double>(most) * cars / keys;
    RecordProperty("peak_to_mean", std::to_string(peak));
    // 1 + 1/15, and what 1,000 keys a car scatter by themselves
    EXPECT_LT(peak, 1.2);
}

}  // namespace
}  // namespace idlewatt::scheduler
