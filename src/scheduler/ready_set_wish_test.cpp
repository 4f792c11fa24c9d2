// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Choosing by affinity, fleet, ability and stay.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "scheduler/ready_set.hpp"
#include "scheduler/stable_hash.hpp"

namespace idlewatt::scheduler {
namespace {

CarLoad load_of(CarNumber car, std::uint32_t total, std::uint32_t free) {
    return {.slots_total = total,
            .slots_free = free,
            .identity = stable_hash("car-" + std::to_string(car))};
}

ReadySet idle_fleet(CarNumber cars, std::uint32_t slots = 4) {
    ReadySet set;
    for (CarNumber car = 0; car < cars; ++car)
        set.put(car, load_of(car, slots, slots));
    return set;
}

CarNumber own_car(const ReadySet& set, std::uint64_t conversation) {
    base::Prng prng(0);
    return set.choose({.affinity = mixed(conversation)}, prng)->car;
}

TEST(ReadySetWish, GatewaysThatNumberCarsDifferentlyAgree) {
    constexpr CarNumber cars = 300;
    const ReadySet here = idle_fleet(cars);
    ReadySet there;
    for (CarNumber car = cars; car-- > 0;)
        there.put(5000 + 7 * car, load_of(car, 4, 4));
    for (std::uint64_t conversation = 0; conversation < 2000; ++conversation)
        ASSERT_EQ(own_car(there, conversation), 5000 + 7 * own_car(here, conversation));
}

TEST(ReadySetWish, AConversationStaysWhileOthersComeAndGo) {
    constexpr CarNumber cars = 400;
    ReadySet set = idle_fleet(cars);
    constexpr std::uint64_t conversations = 4000;
    std::vector<CarNumber> before;
    for (std::uint64_t c = 0; c < conversations; ++c)
        before.push_back(own_car(set, c));
    // A car that leaves, that is full, or that comes.
    set.remove(11);
    set.put(12, load_of(12, 4, 0));
    for (std::uint64_t c = 0; c < conversations; ++c) {
        if (before[c] != 11 && before[c] != 12) {
            ASSERT_EQ(own_car(set, c), before[c]);
        }
    }
    set.put(11, load_of(11, 4, 4));
    set.put(12, load_of(12, 4, 4));
    set.put(cars, load_of(cars, 4, 4));
    std::uint64_t moved = 0;
    for (std::uint64_t c = 0; c < conversations; ++c) {
        if (own_car(set, c) == before[c])
            continue;
        ASSERT_EQ(own_car(set, c), cars);
        ++moved;
    }
    EXPECT_LT(moved, 3 * conversations / cars);
}

// No car is ever made fuller than the bound, at any load, and whoever could be served is.
TEST(ReadySetWish, NoCarExceedsTheBoundOnLoad) {
    constexpr CarNumber cars = 50;
    constexpr std::uint32_t slots = 32;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        base::Prng prng(seed);
        ReadySet set = idle_fleet(cars, slots);
        std::vector<std::uint32_t> busy(cars, 0);
        std::uint32_t in_all = 0;
        // Few conversations, so that many turns want the same car.
        const std::uint64_t conversations = 1 + prng.below(200);
        while (in_all < cars * slots * 9 / 10) {
            const auto choice = set.choose({.affinity = mixed(prng.below(conversations))}, prng);
            ASSERT_TRUE(choice);
            ++in_all;
            const std::uint32_t now = ++busy[choice->car];
            if (choice->place) {
                const double mean = static_cast<double>(in_all) / cars;
                const double bound = std::max(std::ceil(affinity_load_factor * mean - 1e-9),
                                              affinity_load_floor * slots);
                ASSERT_LE(now, bound);
            }
            set.put(choice->car, load_of(choice->car, slots, slots - now));
        }
        EXPECT_EQ(set.slots().busy, in_all);
        EXPECT_EQ(set.slots().total, cars * slots);
    }
}

TEST(ReadySetWish, AnOverloadedCarsConversationGoesToTheNextAndComesBack) {
    ReadySet set = idle_fleet(100);
    base::Prng prng(3);
    const Wish wish{.affinity = mixed(42)};
    const auto own = set.choose(wish, prng);
    ASSERT_EQ(own->place, 0U);
    set.put(own->car, load_of(own->car, 4, 1));
    const auto next = set.choose(wish, prng);
    ASSERT_EQ(next->place, 1U);
    EXPECT_NE(next->car, own->car);
    // Every gateway and every time the same second car.
    EXPECT_EQ(set.choose(wish, prng)->car, next->car);
    const std::array<CarNumber, 1> excluded{next->car};
    EXPECT_EQ(set.choose({.excluded = excluded, .affinity = mixed(42)}, prng)->place, 2U);
    set.put(own->car, load_of(own->car, 4, 4));
    EXPECT_EQ(set.choose(wish, prng)->car, own->car);
}

TEST(ReadySetWish, MatchesAReferenceForFleetsAndAbilities) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        base::Prng prng(seed);
        ReadySet set;
        std::map<CarNumber, CarLoad> model;
        for (int step = 0; step < 80; ++step) {
            const auto car = static_cast<CarNumber>(prng.below(14));
            if (prng.chance(0.25)) {
                set.remove(car);
                model.erase(car);
            } else {
                CarLoad load = load_of(car, 3, static_cast<std::uint32_t>(prng.below(4)));
                load.fleet = static_cast<FleetNumber>(prng.below(3));
                load.abilities = static_cast<Abilities>(prng.below(ability_sets));
                set.put(car, load);
                model[car] = load;
            }
            const std::array<CarNumber, 1> excluded{static_cast<CarNumber>(prng.below(14))};
            Wish wish{.excluded = excluded};
            wish.fleet = static_cast<FleetNumber>(prng.below(3));
            wish.abilities = static_cast<Abilities>(prng.below(ability_sets));
            if (prng.chance(0.5))
                wish.affinity = prng.next();
            const auto wanted = [&](CarNumber number) {
                const CarLoad& it = model.at(number);
                return it.slots_free > 0 && number != excluded[0] &&
                       (wish.fleet == any_fleet || it.fleet == wish.fleet) &&
                       (it.abilities & wish.abilities) == wish.abilities;
            };
            Slots slots;
            bool somebody = false;
            std::size_t ready = 0;
            for (const auto& [number, it] : model) {
                somebody = somebody || wanted(number);
                ready += it.slots_free > 0 ? 1 : 0;
                if (wish.fleet == any_fleet || it.fleet == wish.fleet) {
                    slots.total += it.slots_total;
                    slots.busy += it.slots_total - it.slots_free;
                }
            }
            ASSERT_EQ(set.size(), ready);
            ASSERT_EQ(set.empty(), model.empty());
            ASSERT_EQ(set.slots(wish.fleet).total, slots.total);
            ASSERT_EQ(set.slots(wish.fleet).busy, slots.busy);
            const auto choice = set.choose(wish, prng);
            ASSERT_EQ(choice.has_value(), somebody);
            if (choice) {
                ASSERT_TRUE(wanted(choice->car));
            }
        }
    }
}

// Of 100 equal cars 40 will leave before the work is done and 30 have no forecast.
TEST(ReadySetWish, AvoidsCarsThatLeaveTooSoonIfOthersAreAsGood) {
    ReadySet set;
    for (CarNumber car = 0; car < 100; ++car) {
        CarLoad load = load_of(car, 4, 4);
        if (car < 40) {
            load.stay_p10 = base::seconds(20);
        } else if (car < 70) {
            load.stay_p10 = base::minutes(60);
        }
        set.put(car, load);
    }
    base::Prng prng(9);
    std::array<double, 3> chosen{};
    constexpr int questions = 20'000;
    for (int i = 0; i < questions; ++i) {
        const CarNumber car = set.choose({.stay = base::seconds(60)}, prng)->car;
        ++chosen[car < 40 ? 0 : car < 70 ? 1 : 2];
    }
    // All four draws among the 40: 0.4^4.
    EXPECT_NEAR(chosen[0] / questions, 0.0256, 0.01);
    // A long stay and an unknown one are worth the same.
    EXPECT_NEAR(chosen[1] / (chosen[1] + chosen[2]), 0.5, 0.03);
    // Nobody minds when the work is short.
    int leaving = 0;
    for (int i = 0; i < questions; ++i)
        leaving += set.choose({.stay = base::seconds(5)}, prng)->car < 40 ? 1 : 0;
    EXPECT_NEAR(leaving / double{questions}, 0.4, 0.02);
}

TEST(ReadySetWish, TakesALeavingCarRatherThanAMuchFullerOne) {
    ReadySet set;
    CarLoad leaving = load_of(0, 8, 8);
    leaving.stay_p10 = base::seconds(1);
    set.put(0, leaving);
    set.put(1, load_of(1, 8, 7));
    base::Prng prng(2);
    const Wish wish{.stay = base::seconds(30)};
    int by_leaving = 0;
    for (int i = 0; i < 1000; ++i)
        by_leaving += set.choose(wish, prng)->car == 0 ? 1 : 0;
    EXPECT_LT(by_leaving, 125);  // only if all four draws hit it: 1/16
    set.put(1, load_of(1, 8, 1));
    by_leaving = 0;
    for (int i = 0; i < 1000; ++i)
        by_leaving += set.choose(wish, prng)->car == 0 ? 1 : 0;
    EXPECT_GT(by_leaving, 700);  // if one of two draws hits it: 3/4
}

TEST(ReadySetWish, ALeavingCarHandsItsConversationsOn) {
    ReadySet set = idle_fleet(50);
    const CarNumber own = own_car(set, 7);
    CarLoad leaving = load_of(own, 4, 4);
    leaving.stay_p10 = base::seconds(3);
    set.put(own, leaving);
    base::Prng prng(1);
    EXPECT_EQ(set.choose({.affinity = mixed(7), .stay = base::seconds(30)}, prng)->place, 1U);
    EXPECT_EQ(set.choose({.affinity = mixed(7), .stay = base::seconds(1)}, prng)->car, own);
    // If all of them leave, it stays where it is warm.
    for (CarNumber car = 0; car < 50; ++car) {
        CarLoad load = load_of(car, 4, 4);
        load.stay_p10 = base::seconds(3);
        set.put(car, load);
    }
    EXPECT_EQ(set.choose({.affinity = mixed(7), .stay = base::seconds(30)}, prng)->car, own);
}

}  // namespace
}  // namespace idlewatt::scheduler
