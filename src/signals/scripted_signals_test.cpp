// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "signals/scripted_signals.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "base/simulated_loop.hpp"

namespace idlewatt::signals {
namespace {

using core::SignalId;

struct Car {
    Car(base::SimulatedLoop& loop, const Script& script, const Playback& playback)
        : source(make_scripted_signals(loop, script, playback)) {
        source->start([this](SignalId id, core::SignalReading reading) { seen.set(id, reading); });
    }

    [[nodiscard]] std::optional<double> value(SignalId id) const {
        return seen.get(id) ? seen.get(id)->value : std::nullopt;
    }

    core::SignalSet seen;
    std::unique_ptr<SignalSource> source;
};

Script parsed(const std::string& body) {
    const auto script = parse_script("name = \"t\"\n" + body);
    EXPECT_TRUE(script) << script.error().message;
    return script.value_or(Script{});
}

const char* const short_story = R"(duration_s = 100
repeat = true
[initial]
state_of_charge_percent = 90
[[event]]
at_s = 10
set = { occupied = true }
[[event]]
at_s = 20.5
set = { occupied = false, state_of_charge_percent = 40 }
[[event]]
at_s = 30
set = { moving = "frozen" }
)";

TEST(ScriptedSignals, ChangesAtThePlayedMomentAndNotBefore) {
    base::SimulatedLoop loop;
    Car car(loop, parsed(short_story), {0, 1, 10.0, loop.wall_now()});
    EXPECT_EQ(car.value(SignalId::state_of_charge_percent), 90.0);
    loop.run_for(base::milliseconds(999));
    EXPECT_EQ(car.value(SignalId::occupied), 0.0);
    loop.run_for(base::milliseconds(1));
    EXPECT_EQ(car.value(SignalId::occupied), 1.0);
    EXPECT_EQ(car.seen.get(SignalId::occupied)->received_at, loop.now());
    loop.run_for(base::milliseconds(1'050));
    EXPECT_EQ(car.value(SignalId::occupied), 0.0);
    EXPECT_EQ(car.value(SignalId::state_of_charge_percent), 40.0);
}

TEST(ScriptedSignals, BeginsAgainWhenToldTo) {
    base::SimulatedLoop loop;
    Car car(loop, parsed(short_story), {0, 1, 10.0, loop.wall_now()});
    loop.run_for(base::milliseconds(9'900));
    EXPECT_EQ(car.value(SignalId::state_of_charge_percent), 40.0);
    loop.run_for(base::milliseconds(200));
    EXPECT_EQ(car.value(SignalId::state_of_charge_percent), 90.0);
    loop.run_for(base::seconds(1));
    EXPECT_EQ(car.value(SignalId::occupied), 1.0);
}

TEST(ScriptedSignals, FrozenSignalsGrowOldWhileOthersStayFresh) {
    base::SimulatedLoop loop;
    Car car(loop, parsed(short_story), {0, 1, 1.0, loop.wall_now()});
    loop.run_for(base::seconds(50));
    EXPECT_GE(loop.now() - car.seen.get(SignalId::moving)->received_at, base::seconds(20));
    EXPECT_LE(loop.now() - car.seen.get(SignalId::parked)->received_at, base::milliseconds(500));
}

TEST(ScriptedSignals, WaitsForTheStoryToBegin) {
    base::SimulatedLoop loop;
    Car car(loop, parsed(short_story), {0, 1, 10.0, loop.wall_now() + base::seconds(30)});
    loop.run_for(base::milliseconds(30'900));
    EXPECT_EQ(car.value(SignalId::occupied), 0.0);
    loop.run_for(base::milliseconds(101));
    EXPECT_EQ(car.value(SignalId::occupied), 1.0);
}

TEST(ScriptedSignals, WhatIsHeldOutlivesTheStory) {
    base::SimulatedLoop loop;
    Car car(loop, parsed(short_story), {0, 1, 10.0, loop.wall_now()});
    ASSERT_TRUE(car.source->hold({{SignalId::occupied, 0.0}}));
    for (int i = 0; i < 200; ++i) {
        loop.run_for(base::milliseconds(100));
        ASSERT_EQ(car.value(SignalId::occupied), 0.0);
    }
}

// A restarted agent must not see another story than the one that it left.
TEST(ScriptedSignals, StateIsAFunctionOfTime) {
    const auto script =
        load_script(std::string(IDLEWATT_SOURCE_DIR) + "/examples/scripted_day.toml");
    ASSERT_TRUE(script) << script.error().message;
    base::Prng prng(11);
    base::SimulatedLoop loop;
    const Playback playback{4, 6, 2'160.0, loop.wall_now()};
    const Car old(loop, *script, playback);
    for (int i = 0; i < 300; ++i) {
        loop.run_for(base::milliseconds(static_cast<std::int64_t>(prng.below(700))));
        const Car restarted(loop, *script, playback);
        for (const core::SignalInfo& signal : core::signal_table()) {
            ASSERT_EQ(old.value(signal.id), restarted.value(signal.id))
                << signal.name << " at " << played(loop.now() - base::Instant{}, 2'160.0).seconds();
        }
    }
}

TEST(ScriptedSignals, ALongPauseIsCaughtUpInOneStep) {
    base::SimulatedLoop loop;
    const Playback playback{0, 1, play_speed_max, loop.wall_now() + base::seconds(-1'000'000)};
    const Car car(loop, parsed(short_story), playback);
    EXPECT_TRUE(car.value(SignalId::state_of_charge_percent).has_value());
}

bool stands_ready(const Car& car) {
    return car.value(SignalId::occupied) == 0.0 && car.value(SignalId::parked) == 1.0 &&
           car.value(SignalId::moving) == 0.0 && car.value(SignalId::plugged_in) == 1.0 &&
           car.value(SignalId::locked).has_value() &&
           car.value(SignalId::state_of_charge_percent).value_or(0.0) >= 50.0;
}

// The promise of examples/scripted_day.toml, for fleets of any size.
TEST(ScriptedDay, AlwaysLeavesAtLeastOneCarAndOnceOnlyOne) {
    const auto script =
        load_script(std::string(IDLEWATT_SOURCE_DIR) + "/examples/scripted_day.toml");
    ASSERT_TRUE(script) << script.error().message;
    EXPECT_GE(script->captions.size(), 8u);
    for (const std::uint32_t count : {1u, 2u, 3u, 6u, 7u, 20u}) {
        base::SimulatedLoop loop;
        std::vector<std::unique_ptr<Car>> cars;
        for (std::uint32_t i = 0; i < count; ++i) {
            cars.push_back(
                std::make_unique<Car>(loop, *script, Playback{i, count, 1'440.0, loop.wall_now()}));
        }
        const auto ready = [&cars] {
            return std::ranges::count_if(cars, [](const auto& car) { return stands_ready(*car); });
        };
        EXPECT_EQ(ready(), count);
        std::ptrdiff_t fewest = count;
        std::ptrdiff_t all_ready = 0;
        constexpr int steps = 1'440;  // a day in played minutes
        for (int i = 0; i < steps; ++i) {
            fewest = std::min(fewest, ready());
            all_ready += ready() == count ? 1 : 0;
            loop.run_for(base::seconds(60) / 1'440);
        }
        EXPECT_EQ(fewest, 1) << count << " cars";
        EXPECT_GT(all_ready, steps / 8) << count << " cars";
        // What is killed leaves the car that always stays alone.
        for (const ActionEvent& action : script->actions) {
            EXPECT_FALSE(action.moment.of(0, count));
        }
    }
}

TEST(AlwaysParked, NeverChanges) {
    const auto script =
        load_script(std::string(IDLEWATT_SOURCE_DIR) + "/examples/always_parked.toml");
    ASSERT_TRUE(script) << script.error().message;
    EXPECT_TRUE(script->events.empty() && script->actions.empty());
    EXPECT_EQ(script->owner.reentry_delay, base::Duration{});
    EXPECT_EQ(script->owner.drain_dwell, base::Duration{});
    EXPECT_TRUE(script->owner.consent);
    base::SimulatedLoop loop;
    const Car car(loop, *script, {2, 6, 1.0, loop.wall_now()});
    EXPECT_TRUE(stands_ready(car));
}

}  // namespace
}  // namespace idlewatt::signals
