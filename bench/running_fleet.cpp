// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "running_fleet.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "cli/files.hpp"
#include "cli/processes.hpp"
#include "http/client.hpp"
#include "identity/secret.hpp"

namespace idlewatt {

namespace {

constexpr base::Duration ready_max = base::seconds(60);
constexpr base::Duration look_again = base::milliseconds(5);
constexpr base::Duration stop_max = base::seconds(5);

int pid_in(const std::string& path) {
    const auto text = cli::read_file(path);
    return text ? std::atoi(text->c_str()) : 0;
}

}  // namespace

RunningFleet::RunningFleet(base::AsioLoop& loop, RunningFleetPlan plan)
    : loop_(loop), plan_(std::move(plan)), api_key_(identity::random_secret()) {
    std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-bench-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    cli::FleetOptions options;
    options.state_dir = folder_;
    options.script_path = std::string(IDLEWATT_SOURCE_DIR) + "/examples/always_parked.toml";
    options.model_path = plan_.model_path;
    options.model_name = "bench";
    options.api_key = api_key_;
    options.vehicles = plan_.vehicles;
    options.slots = plan_.slots;
    options.story_start = loop.wall_now();
    options.tap = plan_.tap;
    options.program_dir = std::string(IDLEWATT_BINARY_DIR) + "/bin";
    fleet_ = std::make_unique<cli::Fleet>(loop, std::move(options));
}

RunningFleet::~RunningFleet() {
    fleet_->stop(stop_max);
    fleet_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

base::Result<void> RunningFleet::start() {
    auto started = fleet_->start();
    return started ? wait_until_ready() : started;
}

std::vector<wire::VehicleRow> RunningFleet::vehicles() {
    http::Call call;
    call.url = url() + "/api/v1/vehicles";
    call.bearer_token = api_key_;
    const auto answer = http::call_and_wait(loop_, std::move(call));
    if (!answer || answer->status != 200)
        return {};
    return wire::parse_vehicles_body(answer->body).value_or(std::vector<wire::VehicleRow>{});
}

base::Result<void> RunningFleet::wait_until_ready() {
    const base::Instant end = loop_.now() + ready_max;
    while (loop_.now() < end) {
        const auto rows = vehicles();
        const bool ready = rows.size() == plan_.vehicles &&
                           std::ranges::all_of(rows, [](const wire::VehicleRow& row) {
                               return row.reason == core::Reason::ok && row.active_requests == 0 &&
                                      row.announcement.slots_free == row.announcement.slots_total;
                           });
        if (ready)
            return {};
        loop_.run_for(look_again);
    }
    return base::fail(base::ErrorKind::unavailable, "not all cars became ready in a minute");
}

std::uint16_t RunningFleet::port() const {
    const std::string& address = url();
    return static_cast<std::uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1));
}

std::string RunningFleet::engine_socket(std::uint32_t index) const {
    return vehicle_dir(index) + "/socket/engine.sock";
}

int RunningFleet::engine_pid(std::uint32_t index) const {
    return pid_in(vehicle_dir(index) + "/engine.pid");
}

int RunningFleet::agent_pid(std::uint32_t index) const {
    return pid_in(vehicle_dir(index) + "/agent.pid");
}

}  // namespace idlewatt
