// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A fleet for benchmarks: real processes of one machine (nats-server, coordinator, gateway, agents,
// engines in their sandboxes), in a folder of its own that goes with it.
//
// Threads: the loop's; what waits runs the loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "cli/fleet.hpp"
#include "wire/fleet.hpp"

namespace idlewatt {

struct RunningFleetPlan {
    std::string model_path;
    std::uint32_t vehicles = 2;
    std::uint32_t slots = 2;
    bool tap = false;  // record what engines say
};

class RunningFleet {
public:
    RunningFleet(base::AsioLoop& loop, RunningFleetPlan plan);
    ~RunningFleet();
    RunningFleet(const RunningFleet&) = delete;
    RunningFleet& operator=(const RunningFleet&) = delete;

    [[nodiscard]] base::Result<void> start();
    // All cars ok and no attempt open.
    [[nodiscard]] base::Result<void> wait_until_ready();

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] const std::string& url() const { return fleet_->url(); }
    [[nodiscard]] const std::string& api_key() const { return api_key_; }
    [[nodiscard]] std::uint32_t vehicle_count() const { return plan_.vehicles; }
    [[nodiscard]] const std::string& vehicle_dir(std::uint32_t index) const {
        return fleet_->vehicle_dir(index);
    }
    // The socket of a car's engine: whoever connects drives the engine directly.
    [[nodiscard]] std::string engine_socket(std::uint32_t index) const;
    // 0: there is none.
    [[nodiscard]] int engine_pid(std::uint32_t index) const;
    [[nodiscard]] int agent_pid(std::uint32_t index) const;
    [[nodiscard]] std::vector<wire::VehicleRow> vehicles();

private:
    base::AsioLoop& loop_;
    const RunningFleetPlan plan_;
    std::string folder_;
    std::string api_key_;
    std::unique_ptr<cli::Fleet> fleet_;
};

}  // namespace idlewatt
