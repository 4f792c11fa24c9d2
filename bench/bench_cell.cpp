// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bench_cell.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <sched.h>
#include <unistd.h>

#include "bus/nats_bus.hpp"
#include "cli/files.hpp"
#include "identity/secret.hpp"

namespace idlewatt {

namespace {

std::vector<int> allowed_cores() {
    std::vector<int> cores;
    cpu_set_t all;
    CPU_ZERO(&all);
    if (sched_getaffinity(0, sizeof all, &all) == 0) {
        for (int core = 0; core < CPU_SETSIZE; ++core) {
            if (CPU_ISSET(core, &all))
                cores.push_back(core);
        }
    }
    return cores;
}

void allow(const std::vector<int>& cores) {
    cpu_set_t few;
    CPU_ZERO(&few);
    for (const int core : cores)
        CPU_SET(core, &few);
    sched_setaffinity(0, sizeof few, &few);
}

// Without a coordinator receipts would pile up, and a memory's sync copies them all.
class NoSpool final : public spool::Spool {
public:
    base::Result<void> put(std::string_view, std::string_view) override { return {}; }
    base::Result<void> erase(std::string_view) override { return {}; }
    base::Result<void> sync() override { return {}; }
    void sync_soon() override {}
    [[nodiscard]] std::vector<spool::Record> records() const override { return {}; }
};

std::unique_ptr<bus::Bus> connect(base::AsioLoop& loop, const cli::EnrolledVehicle& enrolled,
                                  const std::string& nats) {
    bus::NatsOptions options;
    options.urls = {nats};
    options.name = enrolled.id.value;
    options.label = enrolled.id.value + "/1";
    options.credentials_file = enrolled.credentials_file;
    return bus::connect_nats(loop, options).value();
}

engine::MemoryEngineOptions engine_options(base::Duration first_token_time,
                                           base::Duration token_time) {
    engine::MemoryEngineOptions options;
    options.model = bench_model;
    options.slots = slots_per_car;
    options.context_tokens = 1'000'000;
    options.first_token_time = first_token_time;
    options.token_time = token_time;
    options.nameless_every = 0;  // a piece is a token
    return options;
}

std::unique_ptr<base::ChildProcess> start_gateway(base::AsioLoop& loop, cli::FleetKeys& keys,
                                                  const Cell& cell, const std::string& folder,
                                                  const CellOptions& options) {
    const bool stub = !options.stub_url.empty();
    base::SpawnOptions spawn;
    spawn.argv = {std::string(IDLEWATT_BINARY_DIR) + "/bin/idlewatt",
                  "gateway",
                  "--nats",
                  stub ? options.stub_url : cell.nats.url,
                  "--credentials",
                  keys.gateway_credentials(core::GatewayId(cli::local_gateway_name)).value(),
                  "--port",
                  std::to_string(cell.port),
                  "--account",
                  keys.account_public_key()};
    if (!stub) {
        spawn.argv.emplace_back("--system-credentials");
        spawn.argv.push_back(keys.system_credentials("gateway").value());
    }
    if (options.keeps_records) {
        spawn.argv.emplace_back("--state");
        spawn.argv.push_back(folder + "/gateway");
    }
    spawn.environment = {{"IDLEWATT_API_KEY", cell.api_key}};
    spawn.output_file = folder + "/gateway.log";
    return base::ChildProcess::spawn(loop, spawn, [](int) {}).value();
}

}  // namespace

std::vector<int> confine_to(int cores) {
    std::vector<int> few = allowed_cores();
    if (few.size() > static_cast<std::size_t>(cores))
        few.resize(static_cast<std::size_t>(cores));
    allow(few);
    return few;
}

OnCore::OnCore(int core) : before_(allowed_cores()) {
    allow({core});
}

OnCore::~OnCore() {
    allow(before_);
}

double resident_bytes(int pid) {
    long total = 0;
    long resident = 0;
    const std::string path = "/proc/" + std::to_string(pid) + "/statm";
    FILE* const file = std::fopen(path.c_str(), "r");
    if (file == nullptr || std::fscanf(file, "%ld %ld", &total, &resident) != 2)
        resident = 0;
    if (file != nullptr)
        std::fclose(file);
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double cpu_seconds(int pid) {
    long user = 0;
    long system = 0;
    const std::string path = "/proc/" + std::to_string(pid) + "/stat";
    FILE* const file = std::fopen(path.c_str(), "r");
    if (file != nullptr) {
        const int read =
            std::fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld",
                        &user, &system);
        if (read != 2)
            user = system = 0;
        std::fclose(file);
    }
    return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

Folder::Folder() {
    std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-bench-XXXXXX";
    path = ::mkdtemp(pattern.data());
}

Folder::~Folder() {
    std::filesystem::remove_all(path);
}

ParkedCar::ParkedCar(base::AsioLoop& loop, const cli::EnrolledVehicle& enrolled,
                     const std::string& nats, std::uint64_t number, base::Duration first_token_time,
                     base::Duration token_time)
    : bus(connect(loop, enrolled, nats)),
      engine(loop, engine_options(first_token_time, token_time)),
      signals(loop),
      spool(std::make_unique<NoSpool>()),
      key(identity::KeyPair::for_test(identity::KeyKind::user, number)) {
    agent::AgentOptions wanted;
    wanted.vehicle = enrolled.id;
    wanted.incarnation = core::Incarnation(1);
    wanted.model = bench_model;
    wanted.settings.consent = true;
    wanted.seed = number;
    agent = std::make_unique<agent::Agent>(
        agent::AgentParts{loop, *bus, engine, signals, meter, *spool, key}, std::move(wanted));
    agent->start();
}

Cell::Cell(base::AsioLoop& loop, const std::string& folder, const CellOptions& options)
    : api_key(identity::random_secret()) {
    const auto keys = cli::FleetKeys::open("c1", folder, loop.wall_now()).value();
    const bool stub = !options.stub_url.empty();
    if (!stub) {
        bus::NatsServerOptions server;
        server.port = cli::free_port().value();
        keys->describe(server);
        nats = cli::start_nats_server(loop, folder, std::move(server), {}).value();
    }
    port = static_cast<std::uint16_t>(cli::free_port().value());
    {
        std::unique_ptr<OnCore> pinned;
        if (options.gateway_core >= 0)
            pinned = std::make_unique<OnCore>(options.gateway_core);
        gateway = start_gateway(loop, *keys, *this, folder, options);
    }
    for (long number = 0; !stub && number * slots_per_car < options.slots; ++number) {
        const auto enrolled = keys->enrol(core::VehicleId("car-" + std::to_string(number))).value();
        cars.push_back(std::make_unique<ParkedCar>(loop, enrolled, nats.url,
                                                   static_cast<std::uint64_t>(number + 1),
                                                   options.first_token_time, options.token_time));
    }
    if (!cli::wait_for_health(loop, url(), "see gateway.log", {}))
        std::abort();
}

}  // namespace idlewatt
