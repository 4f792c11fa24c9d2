// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One run: builds the world of a scenario, lets it go on through its faults, then through a quiet
// time in calm weather, and asks every checker. Used once.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "simulator/car.hpp"
#include "simulator/client.hpp"
#include "simulator/fault_plan.hpp"
#include "simulator/gateway_process.hpp"
#include "simulator/office.hpp"
#include "simulator/simulator.hpp"
#include "simulator/world.hpp"

namespace idlewatt::simulator {

class Simulation {
public:
    Simulation(const Scenario& scenario, std::uint64_t seed);

    [[nodiscard]] Report run();

private:
    void schedule(const PlannedFault& fault);
    void begin(const PlannedFault& fault);
    void end(const PlannedFault& fault);
    void calm_down();
    [[nodiscard]] bool quiet() const;
    void check();
    void check_books(const AskedQuestion& question);
    void advance_to(base::Instant end);

    World world_;
    Office office_;
    std::vector<std::unique_ptr<Car>> cars_;
    std::vector<std::unique_ptr<GatewayProcess>> gateways_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::vector<std::uint32_t> gateways_down_;  // overlapping faults of each
    std::uint32_t server_down_ = 0;
    std::uint32_t coordinator_down_ = 0;
};

}  // namespace idlewatt::simulator
