// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/fleet_view.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace idlewatt::gateway {
namespace {

core::Announcement word_of(std::uint64_t car, std::uint64_t sequence) {
    core::Announcement said;
    said.vehicle = core::VehicleId("car-" + std::to_string(car));
    said.incarnation = core::Incarnation(1);
    said.sequence = sequence;
    said.reason = core::Reason::ok;
    // Each its own model, so that the catalogue shows whose car is forgotten.
    said.models = {"model-" + std::to_string(car)};
    said.slots_total = said.slots_free = 1;
    return said;
}

TEST(FleetView, FindsEachOfManyCarsByItsName) {
    FleetView view;
    constexpr std::uint64_t cars = 5000;
    std::map<std::uint64_t, CarNumber> numbers;
    for (std::uint64_t car = 0; car < cars; ++car)
        numbers[car] = view.announced(word_of(car, 1), "", base::Instant{1}).car;
    EXPECT_EQ(view.size(), cars);
    for (std::uint64_t car = 0; car < cars; ++car) {
        const auto news = view.announced(word_of(car, 2), "", base::Instant{2});
        ASSERT_TRUE(news.accepted);
        ASSERT_EQ(news.car, numbers[car]);
        ASSERT_EQ(view.car(news.car).said.vehicle.value, "car-" + std::to_string(car));
        ASSERT_FALSE(view.knows_vehicle(core::VehicleId("cab-" + std::to_string(car))));
    }
    EXPECT_EQ(view.size(), cars);
}

// Of each car: when it was heard last, and whether it is there. Compared with the view at every
// step, while cars speak, leave, fall silent and are forgotten.
TEST(FleetView, NoticesSilenceAndForgetsAsAReferenceDoes) {
    struct Known {
        base::Instant heard_at;
        bool reachable = false;
        bool remembered = true;
        std::uint64_t sequence = 0;
    };
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        base::Prng prng(seed);
        FleetView view;
        std::map<std::uint64_t, Known> model;
        std::map<CarNumber, std::uint64_t> names;
        base::Instant now{1};
        for (int step = 0; step < 600; ++step) {
            // Sometimes so long that cars are forgotten.
            now = now + (prng.chance(0.02) ? base::minutes(6) : base::milliseconds(50));
            const std::uint64_t car = prng.below(20);
            if (prng.chance(0.5)) {
                Known& known = model[car];
                const auto news = view.announced(word_of(car, ++known.sequence), "", now);
                names[news.car] = car;
                known = {now, true, true, known.sequence};
            } else if (prng.chance(0.1) && model.contains(car)) {
                ASSERT_TRUE(view.left(core::VehicleId("car-" + std::to_string(car)),
                                      core::Incarnation(1), now));
                model[car].reachable = false;
            } else if (prng.chance(0.02)) {
                view.excuse_silence(now);
                for (auto& [name, known] : model) {
                    if (known.reachable)
                        known.heard_at = now;
                }
            }
            std::set<std::uint64_t> silent;
            for (const CarNumber number : view.expire(now))
                ASSERT_TRUE(silent.insert(names.at(number)).second);
            for (auto& [name, known] : model) {
                const base::Duration since = now - known.heard_at;
                const bool falls_silent = known.reachable && since > core::announcement_lifetime;
                ASSERT_EQ(silent.contains(name), falls_silent) << seed << " " << step;
                known.reachable = known.reachable && !falls_silent;
                known.remembered = known.remembered && (known.reachable || since <= remembered_for);
                const std::string its_model = "model-" + std::to_string(name);
                ASSERT_EQ(view.knows_model(its_model), known.remembered) << seed << " " << step;
                ASSERT_EQ(view.slots(its_model, {}).total, known.reachable ? 1U : 0U);
            }
        }
    }
}

}  // namespace
}  // namespace idlewatt::gateway
