// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A whole fleet on one machine, of real processes: nats-server, coordinator, gateway and one agent
// per car, each supervised, all ended with this program.
//
//   DIR/nats.conf nats.pid nats.log          the message server
//   DIR/coordinator.db .pid .log             its store
//   DIR/blobs/                               files of batches
//   DIR/gateway.pid .log responses.tap
//   DIR/keys/*.seed *.creds                  keys and credentials, mode 0600, kept between runs
//   DIR/vehicles/ID/agent.pid engine.pid     rewritten at every restart
//   DIR/vehicles/ID/agent.log receipts.spool recalls.jsonl tap.bin
//
// In a folder that was used before, keys, store and spools stay; records and pid files go.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "cli/files.hpp"
#include "cli/fleet_keys.hpp"
#include "cli/processes.hpp"
#include "cli/supervisor.hpp"
#include "core/id.hpp"
#include "signals/script.hpp"

namespace idlewatt::cli {

struct FleetOptions {
    std::string state_dir;
    std::string script_path;
    std::string model_path;
    std::string model_name;
    std::string api_key;
    std::uint32_t vehicles = 6;
    std::uint32_t slots = 2;
    int port = 0;  // of the gateway; 0: any free one
    double speed = 1.0;
    base::WallTime story_start;
    bool tap = false;  // record the bytes of engines' streams and of clients' answers
    bool verbose = false;
    std::function<bool()> stop_asked{};  // while starting: true makes start() give up
    std::string program_dir{};           // of idlewatt and idlewatt-agent; empty: where this one is
};

class Fleet {
public:
    Fleet(base::AsioLoop& loop, FleetOptions options);
    ~Fleet();

    // Starts everything and returns when the gateway answers; runs the loop meanwhile.
    [[nodiscard]] base::Result<void> start();
    // Asks everything to end and waits, running the loop; what does not end in time is killed.
    void stop(base::Duration limit);

    [[nodiscard]] const std::string& url() const { return url_; }
    [[nodiscard]] const std::string& coordinator_url() const { return coordinator_url_; }
    [[nodiscard]] const std::string& vehicle_dir(std::uint32_t index) const {
        return cars_[index].folder;
    }
    // Carries out a script's fault on one car.
    void act(signals::ActionKind action, std::uint32_t vehicle);

    [[nodiscard]] std::string store_path() const { return options_.state_dir + "/coordinator.db"; }
    [[nodiscard]] std::string response_tap_path() const {
        return options_.state_dir + "/responses.tap";
    }

private:
    struct Car {
        core::VehicleId id;
        std::string folder;
        EnrolledVehicle enrolled;
        std::unique_ptr<Supervisor> agent;
    };

    [[nodiscard]] base::Result<void> prepare();
    void remove_old_records() const;
    [[nodiscard]] bool stop_asked() const;
    [[nodiscard]] static base::Result<void> stopped();
    [[nodiscard]] base::Result<void> start_nats();
    [[nodiscard]] base::Result<void> enrol_all();
    [[nodiscard]] base::Result<void> start_services();
    [[nodiscard]] base::Result<void> start_agents();
    [[nodiscard]] base::Result<void> wait_for_gateway();
    [[nodiscard]] base::SpawnOptions agent_command(const Car& car, std::uint32_t index) const;
    [[nodiscard]] base::SpawnOptions service_command(const std::string& role) const;

    base::AsioLoop& loop_;
    FleetOptions options_;
    std::string url_;
    std::string coordinator_url_;
    int coordinator_port_ = 0;
    std::string nats_url_;
    std::string program_dir_;
    FolderLock lock_;
    std::unique_ptr<FleetKeys> keys_;
    std::vector<Car> cars_;
    std::unique_ptr<Supervisor> nats_;
    std::unique_ptr<Supervisor> coordinator_;
    std::unique_ptr<Supervisor> gateway_;
};

}  // namespace idlewatt::cli
