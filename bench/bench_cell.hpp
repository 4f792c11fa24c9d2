// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A cell for benchmarks: the gateway program and a real NATS server as processes, and cars in this
// one, real but for their engine, which costs next to nothing, and their disk, which forgets.
//
// Lifecycle: construction runs the loop until all answer; destruction ends the processes.
// Threads: the loop's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/agent.hpp"
#include "base/asio_loop.hpp"
#include "base/child_process.hpp"
#include "bus/bus.hpp"
#include "cli/fleet_keys.hpp"
#include "cli/processes.hpp"
#include "engine/memory_engine.hpp"
#include "identity/identity.hpp"
#include "meter/model_meter.hpp"
#include "signals/memory_signals.hpp"
#include "spool/spool.hpp"

namespace idlewatt {

inline constexpr std::uint32_t slots_per_car = core::slots_max;
inline const std::string bench_model = "memory";

// The first so many of the cores that this process may use, for it and all that it starts.
std::vector<int> confine_to(int cores);

// For the thread that calls, and what it starts from then on; as it was at the end.
class OnCore {
public:
    explicit OnCore(int core);
    ~OnCore();
    OnCore(const OnCore&) = delete;
    OnCore& operator=(const OnCore&) = delete;

private:
    std::vector<int> before_;
};

[[nodiscard]] double resident_bytes(int pid);
// User and system, of all threads.
[[nodiscard]] double cpu_seconds(int pid);

// A temporary folder, gone at the end.
struct Folder {
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string path;
};

struct ParkedCar {
    ParkedCar(base::AsioLoop& loop, const cli::EnrolledVehicle& enrolled, const std::string& nats,
              std::uint64_t number, base::Duration first_token_time, base::Duration token_time);

    std::unique_ptr<bus::Bus> bus;
    engine::MemoryEngine engine;
    signals::MemorySignals signals;
    std::unique_ptr<spool::Spool> spool;
    identity::KeyPair key;
    meter::ModelMeter meter;
    std::unique_ptr<agent::Agent> agent;
};

struct CellOptions {
    long slots = 1;  // at least so many
    base::Duration first_token_time = base::milliseconds(20);
    base::Duration token_time = base::milliseconds(10);
    int gateway_core = -1;  // the only one that the gateway may use; -1: all
    // Stands for the NATS server and all cars; empty: there are some.
    std::string stub_url{};
    // The gateway keeps records of what it delivered, as one does that has a coordinator.
    bool keeps_records = false;
};

struct Cell {
    Cell(base::AsioLoop& loop, const std::string& folder, const CellOptions& options);
    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }

    std::string api_key;
    cli::RunningNats nats;  // without a stub
    std::uint16_t port = 0;
    std::unique_ptr<base::ChildProcess> gateway;
    std::vector<std::unique_ptr<ParkedCar>> cars;
};

}  // namespace idlewatt
