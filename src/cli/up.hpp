// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt up: a fleet to work with, on one machine, by the same way as a large one: a nats-server,
// a coordinator, a gateway, and cars that enrol with one-time tokens and get their models by
// placement. All of it is supervised and ends with this program; what it knows stays in its folder.
//
//   DIR/lock                             one program at a time
//   DIR/up.toml                          cars, ports and context of the last run, for the next
//   DIR/api.key                          an operator's key, mode 0600
//   DIR/ports                            of nats-server, kept between runs
//   DIR/keys/*.seed *.creds              of the cell
//   DIR/nats/ nats.conf .pid .log        accounts and what the server says
//   DIR/coordinator.db .log blobs/       store and model files
//   DIR/gateway/ gateway.log             key book and delivery records
//   DIR/models/                          the model that is made when there is none
//   DIR/vehicles/ID/                     each car's state, as on a real car
//
// Lifecycle: one run() per object. Threads: the loop that run() drives.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "cli/connection.hpp"
#include "cli/exit_code.hpp"
#include "cli/files.hpp"
#include "cli/fleet_keys.hpp"
#include "cli/processes.hpp"
#include "cli/supervisor.hpp"

namespace idlewatt::cli {

inline constexpr base::Duration up_stop_max = base::seconds(9);
// An engine bundle over a slow line.
inline constexpr base::Duration bundle_fetch_max = base::minutes(15);
// For cars to enrol, fetch and load a small model.
inline constexpr base::Duration first_car_max = base::seconds(90);

struct UpOptions {
    std::string state_dir;
    std::uint32_t vehicles = 2;
    int port = 8080;  // 0: any free one
    int coordinator_port = 8081;
    bool port_given = false;  // otherwise any free one if it is taken
    bool coordinator_port_given = false;
    std::uint32_t context_tokens = 2048;  // of each answer
    // What was not said is as in the last run in this folder.
    bool vehicles_given = false;
    bool context_given = false;
    std::string model_path;     // added to the cell; empty: what the cell has, or Valet
    bool random_model = false;  // instead of Valet: one with random weights
    std::string script_path;    // signals of the cars; empty: parked, plugged in and willing
    bool json = false;
    bool verbose = false;
};

class Up {
public:
    explicit Up(UpOptions options);
    ~Up();

    Up(const Up&) = delete;
    Up& operator=(const Up&) = delete;

    ExitCode run();

private:
    struct Car {
        std::string name;
        std::string folder;
        std::unique_ptr<Supervisor> agent;
    };

    [[nodiscard]] base::Result<void> start_all();
    [[nodiscard]] base::Result<void> check_files() const;
    [[nodiscard]] base::Result<void> prepare_folder();
    [[nodiscard]] base::Result<void> recall_settings();
    [[nodiscard]] base::Result<void> keep_settings() const;
    [[nodiscard]] base::Result<void> choose_ports();
    [[nodiscard]] base::Result<void> prepare_keys();
    [[nodiscard]] base::Result<void> fetch_engine();
    [[nodiscard]] base::Result<void> start_nats();
    [[nodiscard]] base::Result<void> start_coordinator();
    [[nodiscard]] base::Result<void> start_gateway();
    void forget_pid(const std::string& role) const;
    [[nodiscard]] base::Result<void> wait_for(const Supervisor& process, const std::string& role,
                                              const std::string& url);
    [[nodiscard]] base::Result<void> provide_model();
    [[nodiscard]] base::Result<void> start_cars();
    [[nodiscard]] base::Result<void> enrolment_token(const Car& car);
    [[nodiscard]] base::Result<void> enrol(const Car& car);
    [[nodiscard]] bool has_slept(const Car& car) const;
    [[nodiscard]] base::Result<void> wait_for_car();
    [[nodiscard]] base::SpawnOptions service(const std::string& role) const;
    [[nodiscard]] base::SpawnOptions agent(const Car& car, std::uint32_t index) const;
    void introduce() const;
    void remove_new_folder() const;
    void stop();

    UpOptions options_;
    base::AsioLoop loop_;
    bool stop_asked_ = false;
    bool made_random_model_ = false;
    bool made_folder_ = false;
    std::string recalled_;  // for people: what is as in the last run
    FolderLock lock_;
    int nats_port_ = 0;
    std::string nats_url_;
    std::string api_key_;
    std::string api_key_file_;
    std::string model_name_;
    Connection gateway_at_;
    Connection coordinator_at_;
    std::unique_ptr<FleetKeys> keys_;
    std::vector<Car> cars_;
    std::unique_ptr<Supervisor> nats_;
    std::unique_ptr<Supervisor> coordinator_;
    std::unique_ptr<Supervisor> gateway_;
};

}  // namespace idlewatt::cli
