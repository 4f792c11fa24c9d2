// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What every source of signals must do, whichever it is.
#include <map>

#include <gtest/gtest.h>

#include "base/simulated_loop.hpp"
#include "signals/memory_signals.hpp"
#include "signals/scripted_signals.hpp"

namespace idlewatt::signals {
namespace {

using core::SignalId;
using Factory = std::unique_ptr<SignalSource> (*)(base::Loop&);

std::unique_ptr<SignalSource> scripted(base::Loop& loop) {
    const auto script = parse_script("name = \"still\"\nduration_s = 60\n");
    return make_scripted_signals(loop, *script, {0, 1, 1.0, loop.wall_now()});
}

std::unique_ptr<SignalSource> in_memory(base::Loop& loop) {
    return std::make_unique<MemorySignals>(loop);
}

class SignalSourceConformance : public testing::TestWithParam<Factory> {
protected:
    void start() {
        source_->start([this](SignalId id, core::SignalReading reading) {
            last_[id] = reading;
            ++count_;
            EXPECT_EQ(reading.received_at, loop_.now());
            EXPECT_EQ(reading.source_time, loop_.wall_now());
        });
    }

    base::SimulatedLoop loop_;
    std::unique_ptr<SignalSource> source_ = GetParam()(loop_);
    std::map<SignalId, core::SignalReading> last_;
    int count_ = 0;
};

TEST_P(SignalSourceConformance, ReportsEverySignalThatIsNeededSoonAfterItsStart) {
    start();
    loop_.run_for(base::seconds(1));
    for (const core::SignalInfo& signal : core::signal_table())
        EXPECT_EQ(last_.contains(signal.id), signal.need == core::SignalNeed::always)
            << signal.name;
    EXPECT_EQ(last_[SignalId::parked].value, 1.0);
    EXPECT_EQ(last_[SignalId::occupied].value, 0.0);
}

TEST_P(SignalSourceConformance, IsSilentBeforeItsStart) {
    loop_.run_for(base::seconds(5));
    EXPECT_EQ(count_, 0);
}

TEST_P(SignalSourceConformance, KeepsReadingsFresherThanTheirLimits) {
    start();
    for (int i = 0; i < 100; ++i) {
        loop_.run_for(base::milliseconds(997));
        for (const auto& [id, reading] : last_)
            EXPECT_LT(loop_.now() - reading.received_at, core::info(id).fresh_for);
    }
}

TEST_P(SignalSourceConformance, HoldsAtOnceAndUntilHeldAgain) {
    start();
    ASSERT_TRUE(source_->hold({{SignalId::occupied, 1.0}, {SignalId::locked, std::nullopt}}));
    EXPECT_EQ(last_[SignalId::occupied].value, 1.0);
    EXPECT_EQ(last_[SignalId::locked].value, std::nullopt);
    loop_.run_for(base::minutes(5));
    EXPECT_EQ(last_[SignalId::occupied].value, 1.0);
    EXPECT_EQ(last_[SignalId::locked].value, std::nullopt);
    EXPECT_EQ(last_[SignalId::plugged_in].value, 1.0);
    ASSERT_TRUE(source_->hold({{SignalId::occupied, 0.0}}));
    EXPECT_EQ(last_[SignalId::occupied].value, 0.0);
}

TEST_P(SignalSourceConformance, RemembersWhatWasHeldBeforeItsStart) {
    ASSERT_TRUE(source_->hold({{SignalId::plugged_in, 0.0}}));
    EXPECT_EQ(count_, 0);
    start();
    loop_.run_for(base::seconds(1));
    EXPECT_EQ(last_[SignalId::plugged_in].value, 0.0);
}

TEST_P(SignalSourceConformance, PassesNonsenseOn) {
    start();
    ASSERT_TRUE(source_->hold({{SignalId::occupied, 7.0}}));
    EXPECT_EQ(last_[SignalId::occupied].value, 7.0);
}

TEST_P(SignalSourceConformance, IsSilentAfterItsEnd) {
    start();
    loop_.run_for(base::seconds(2));
    source_.reset();
    const int before = count_;
    loop_.run_for(base::minutes(2));
    EXPECT_EQ(count_, before);
    EXPECT_FALSE(loop_.run_one());  // no timer is left behind
}

INSTANTIATE_TEST_SUITE_P(Signals, SignalSourceConformance, testing::Values(&scripted, &in_memory),
                         [](const auto& tested) {
                             return tested.index == 0 ? "scripted" : "memory";
                         });

TEST(MemorySignals, FreezesDropsAndErrs) {
    base::SimulatedLoop loop;
    MemorySignals source(loop);
    core::SignalSet seen;
    source.start([&seen](SignalId id, core::SignalReading reading) { seen.set(id, reading); });
    source.freeze(SignalId::moving);
    source.drop(SignalId::state_of_charge_percent);
    source.set_clock_error(base::seconds(100));
    const base::Instant frozen_at = loop.now();
    loop.run_for(base::seconds(10));
    EXPECT_EQ(seen.get(SignalId::moving)->received_at, frozen_at);
    EXPECT_EQ(seen.get(SignalId::state_of_charge_percent)->value, std::nullopt);
    EXPECT_EQ(seen.get(SignalId::parked)->source_time, loop.wall_now() + base::seconds(100));
    source.set(SignalId::moving, 1.0);
    EXPECT_EQ(seen.get(SignalId::moving)->value, 1.0);
}

}  // namespace
}  // namespace idlewatt::signals
