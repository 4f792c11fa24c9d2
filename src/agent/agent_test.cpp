// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The whole agent on in-memory edges: what must outlive its process.
#include "agent/agent.hpp"

#include <gtest/gtest.h>

#include "base/simulated_loop.hpp"
#include "bus/memory_bus.hpp"
#include "engine/memory_engine.hpp"
#include "meter/model_meter.hpp"
#include "signals/memory_signals.hpp"
#include "spool/memory_spool.hpp"
#include "wire/wire.hpp"

namespace idlewatt::agent {
namespace {

class AgentTest : public ::testing::Test {
protected:
    // One life of the agent's process.
    struct Life {
        explicit Life(AgentTest& test, std::uint64_t incarnation, std::string story)
            : signals(test.loop), engine(test.loop, {}), bus(test.hub.connect("car", "car/1")) {
            auto opened = spool::open_memory_spool(test.disk);
            EXPECT_TRUE(opened);
            spool = std::move(*opened);
            AgentOptions options;
            options.vehicle = core::VehicleId("car");
            options.incarnation = core::Incarnation(incarnation);
            options.model = "m";
            options.settings.consent = true;
            options.settings.reentry_delay = {};
            options.story = std::move(story);
            agent = std::make_unique<Agent>(
                AgentParts{test.loop, *bus, engine, signals, test.meter, *spool, test.key},
                options);
            for (const core::SignalInfo& signal : core::signal_table()) {
                if (signal.need == core::SignalNeed::always)
                    signals.set(signal.id, 0.0);
            }
            signals.set(core::SignalId::parked, 1.0);
            signals.set(core::SignalId::plugged_in, 1.0);
            signals.set(core::SignalId::state_of_charge_percent, 80.0);
            agent->start();
        }

        signals::MemorySignals signals;
        engine::MemoryEngine engine;
        std::unique_ptr<bus::Bus> bus;
        std::unique_ptr<spool::Spool> spool;
        std::unique_ptr<Agent> agent;
    };

    core::Reason reason_after(Life& life, base::Duration span) {
        loop.run_for(span);
        return life.agent->core().announced_reason();
    }

    base::SimulatedLoop loop;
    bus::MemoryHub hub{loop, 1};
    std::shared_ptr<spool::MemoryDisk> disk = std::make_shared<spool::MemoryDisk>();
    identity::KeyPair key = identity::KeyPair::for_test(identity::KeyKind::user, 1);
    meter::ModelMeter meter;
};

// Somebody was said to sit in the car, then the agent was killed: its next life must not work.
TEST_F(AgentTest, AHeldSignalOutlivesTheProcess) {
    auto gateway = hub.connect("gateway", "gateway");
    auto life = std::make_unique<Life>(*this, 1, "a");
    ASSERT_EQ(reason_after(*life, base::seconds(2)), core::Reason::ok);
    const wire::SignalOverride order{{{core::SignalId::occupied, 1.0}}};
    bool taken = false;
    gateway->request(wire::Subjects{"c1"}.signal_order(core::VehicleId("car")), wire::encode(order),
                     base::seconds(1), [&](bus::ReplyStatus status, const bus::Message&) {
                         taken = status == bus::ReplyStatus::answered;
                     });
    ASSERT_EQ(reason_after(*life, base::seconds(1)), core::Reason::occupied);
    EXPECT_TRUE(taken);
    life.reset();
    life = std::make_unique<Life>(*this, 2, "a");
    EXPECT_EQ(reason_after(*life, base::seconds(2)), core::Reason::occupied);
    life.reset();
    life = std::make_unique<Life>(*this, 3, "another story");
    EXPECT_EQ(reason_after(*life, base::seconds(2)), core::Reason::ok);
}

}  // namespace
}  // namespace idlewatt::agent
