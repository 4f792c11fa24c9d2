// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One simulated car: the production agent on twins of its edges, in a process that can be killed,
// stopped and restarted. The disk and the key outlive the process. Checks that the engine never
// runs against the owner, by a rule of its own.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "agent/agent.hpp"
#include "engine/memory_engine.hpp"
#include "identity/identity.hpp"
#include "meter/model_meter.hpp"
#include "signals/memory_signals.hpp"
#include "simulator/gated_bus.hpp"
#include "simulator/gated_loop.hpp"
#include "simulator/watched_engine.hpp"
#include "simulator/watched_spool.hpp"
#include "simulator/world.hpp"
#include "spool/memory_spool.hpp"

namespace idlewatt::simulator {

class Car {
public:
    Car(World& world, std::uint32_t number);
    ~Car();

    Car(const Car&) = delete;
    Car& operator=(const Car&) = delete;

    [[nodiscard]] const core::VehicleId& vehicle() const { return vehicle_; }
    [[nodiscard]] const std::string& public_key() const { return key_.public_key(); }

    void start();
    // Faults of the same kind may overlap: the last one to end ends it.
    void begin(FaultKind kind);
    void end(FaultKind kind);

    // True when it is ready, nothing is open and every receipt is delivered.
    [[nodiscard]] bool quiet() const;
    void check_quiet() const;

private:
    struct Process;
    struct Wish {
        std::optional<double> value;  // nullopt: missing
        friend bool operator==(const Wish&, const Wish&) = default;
    };
    using Wishes = std::array<Wish, core::signal_count>;

    [[nodiscard]] bool active(FaultKind kind) const {
        return active_[static_cast<std::size_t>(kind)] > 0;
    }
    [[nodiscard]] Wishes wishes() const;
    void show(const Wishes& now);
    void tell_sensors(const Wishes& now, const Wishes* before);
    void freeze();
    void thaw();
    void check_engine() const;
    [[nodiscard]] agent::AgentObserver observer();

    World& world_;
    core::VehicleId vehicle_;
    std::uint64_t number_;
    identity::KeyPair key_;
    meter::ModelMeter meter_;
    std::shared_ptr<spool::MemoryDisk> disk_ = std::make_shared<spool::MemoryDisk>();
    std::uint64_t incarnation_ = 0;
    std::array<std::uint32_t, fault_kind_count> active_{};
    Wishes shown_;
    base::Instant charged_below_reserve_at_;
    std::uint64_t freezes_ = 0;
    std::optional<base::Instant> thawed_at_;
    std::unique_ptr<Process> process_;
};

}  // namespace idlewatt::simulator
