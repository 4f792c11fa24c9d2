// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What 2,000 open streams cost a gateway, on two cores. `gateway` is the program itself, with a
// real NATS server, cars with in-memory engines in this process, and clients in another; `edge` is
// the HTTP server alone, with the same bytes, for comparison.
//
//   bytes_per_stream   growth of the gateway's resident memory, all streams open
//   open_at_once       streams that had a token and not yet their end, at the same moment
//   tokens_per_s       that reached clients while all were open
//   gateway_cpu        of one core, at this rate
//   whole, failed      how the answers ended
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "agent/agent.hpp"
#include "base/asio_loop.hpp"
#include "base/child_process.hpp"
#include "bus/nats_bus.hpp"
#include "cli/files.hpp"
#include "cli/fleet_keys.hpp"
#include "cli/processes.hpp"
#include "engine/memory_engine.hpp"
#include "http/beast_server.hpp"
#include "identity/secret.hpp"
#include "meter/model_meter.hpp"
#include "signals/memory_signals.hpp"
#include "spool/memory_spool.hpp"
#include "stream_clients.hpp"

namespace idlewatt {
namespace {

constexpr int cores = 2;
constexpr std::uint32_t slots_per_car = core::slots_max;
// Each stream speaks for 48 s, so that all are open at once for most of it.
constexpr base::Duration token_time = base::milliseconds(500);
constexpr long tokens_per_stream = 96;
constexpr base::Duration measured = base::seconds(10);
constexpr base::Duration patience = base::seconds(120);
const std::string model = "memory";

// Of the whole system: this process, its children, and whatever they start.
const bool confined = [] {
    cpu_set_t all;
    cpu_set_t few;
    CPU_ZERO(&few);
    if (sched_getaffinity(0, sizeof all, &all) == 0) {
        for (int cpu = 0, taken = 0; cpu < CPU_SETSIZE && taken < cores; ++cpu) {
            if (CPU_ISSET(cpu, &all)) {
                CPU_SET(cpu, &few);
                ++taken;
            }
        }
        sched_setaffinity(0, sizeof few, &few);
    }
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return true;
}();

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

// Runs until all are open, for the time measured, and until all have ended.
void measure(benchmark::State& state, base::AsioLoop& loop, const StreamClients& clients, int pid,
             double before) {
    const StreamFigures& figures = clients.figures();
    const long streams = state.range(0);
    const auto all_open = [&] { return figures.running == streams || figures.failed > 0; };
    if (!cli::run_until(loop, all_open, patience) || figures.failed > 0)
        return state.SkipWithError("not all streams were open at once");
    const double cpu = cpu_seconds(pid);
    const long pieces = figures.pieces;
    const base::Instant begin = loop.now();
    loop.run_for(measured);
    const double seconds = (loop.now() - begin).seconds();
    state.counters["open_at_once"] = static_cast<double>(figures.running);
    state.counters["bytes_per_stream"] =
        (resident_bytes(pid) - before) / static_cast<double>(streams);
    state.counters["tokens_per_s"] = static_cast<double>(figures.pieces - pieces) / seconds;
    state.counters["gateway_cpu"] = (cpu_seconds(pid) - cpu) / seconds;
    const auto all_ended = [&] { return figures.whole + figures.failed == streams; };
    if (!cli::run_until(loop, all_ended, patience))
        return state.SkipWithError("not all streams came to their end");
    state.counters["whole"] = static_cast<double>(figures.whole);
    state.counters["failed"] = static_cast<double>(figures.failed);
}

struct Folder {
    Folder() {
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-bench-XXXXXX";
        path = ::mkdtemp(pattern.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string path;
};

// A car as it is on the road but for its engine, which costs nothing.
struct ParkedCar {
    ParkedCar(base::AsioLoop& loop, const cli::EnrolledVehicle& enrolled, const std::string& nats,
              std::uint64_t number)
        : bus(connect(loop, enrolled, nats)),
          engine(loop, options()),
          signals(loop),
          spool(std::move(*spool::open_memory_spool(std::make_shared<spool::MemoryDisk>()))),
          key(identity::KeyPair::for_test(identity::KeyKind::user, number)) {
        agent::AgentOptions wanted;
        wanted.vehicle = enrolled.id;
        wanted.incarnation = core::Incarnation(1);
        wanted.model = model;
        wanted.settings.consent = true;
        wanted.seed = number;
        agent = std::make_unique<agent::Agent>(
            agent::AgentParts{loop, *bus, engine, signals, meter, *spool, key}, std::move(wanted));
        agent->start();
    }
    static std::unique_ptr<bus::Bus> connect(base::AsioLoop& loop,
                                             const cli::EnrolledVehicle& enrolled,
                                             const std::string& nats) {
        bus::NatsOptions options;
        options.urls = {nats};
        options.name = enrolled.id.value;
        options.label = enrolled.id.value + "/1";
        options.credentials_file = enrolled.credentials_file;
        return bus::connect_nats(loop, options).value();
    }
    static engine::MemoryEngineOptions options() {
        engine::MemoryEngineOptions options;
        options.model = model;
        options.slots = slots_per_car;
        options.context_tokens = 1'000'000;
        options.token_time = token_time;
        options.nameless_every = 0;  // a piece is a token
        return options;
    }

    std::unique_ptr<bus::Bus> bus;
    engine::MemoryEngine engine;
    signals::MemorySignals signals;
    std::unique_ptr<spool::Spool> spool;
    identity::KeyPair key;
    meter::ModelMeter meter;
    std::unique_ptr<agent::Agent> agent;
};

struct Cell {
    Cell(base::AsioLoop& loop, const std::string& folder, long slots) {
        const auto keys = cli::FleetKeys::open("c1", folder, loop.wall_now()).value();
        bus::NatsServerOptions server;
        server.port = cli::free_port().value();
        keys->describe(server);
        nats = cli::start_nats_server(loop, folder, std::move(server), {}).value();
        port = static_cast<std::uint16_t>(cli::free_port().value());
        base::SpawnOptions spawn;
        spawn.argv = {std::string(IDLEWATT_BINARY_DIR) + "/bin/idlewatt",
                      "gateway",
                      "--nats",
                      nats.url,
                      "--credentials",
                      keys->gateway_credentials(core::GatewayId(cli::local_gateway_name)).value(),
                      "--system-credentials",
                      keys->system_credentials("gateway").value(),
                      "--port",
                      std::to_string(port)};
        spawn.environment = {{"IDLEWATT_API_KEY", api_key}};
        spawn.output_file = folder + "/gateway.log";
        gateway = base::ChildProcess::spawn(loop, spawn, [](int) {}).value();
        for (long number = 0; number * slots_per_car < slots; ++number) {
            const auto enrolled =
                keys->enrol(core::VehicleId("car-" + std::to_string(number))).value();
            cars.push_back(std::make_unique<ParkedCar>(loop, enrolled, nats.url,
                                                       static_cast<std::uint64_t>(number + 1)));
        }
        if (!cli::wait_for_health(loop, url(), "see gateway.log", {}))
            std::abort();
    }
    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }

    std::string api_key = identity::random_secret();
    cli::RunningNats nats;
    std::uint16_t port = 0;
    std::unique_ptr<base::ChildProcess> gateway;
    std::vector<std::unique_ptr<ParkedCar>> cars;
};

void gateway(benchmark::State& state) {
    const long streams = state.range(0);
    for (auto _ : state) {
        StreamClients first(1);  // before there are threads
        StreamClients clients(streams);
        const Folder folder;
        base::AsioLoop loop;
        const Cell cell(loop, folder.path, streams * 5 / 4);
        loop.run_for(base::seconds(3));  // announcements
        // What is made once is no stream's.
        first.ask(cell.port, cell.api_key, 2);
        if (!cli::run_until(
                loop, [&] { return first.figures().whole == 1; }, patience))
            return state.SkipWithError("the gateway gives no answer");
        const double before = resident_bytes(cell.gateway->pid());
        clients.ask(cell.port, cell.api_key, tokens_per_stream);
        measure(state, loop, clients, cell.gateway->pid(), before);
    }
}

// The same answers, written by nobody.
class Teller {
public:
    Teller(base::AsioLoop& loop, http::Server& server) : loop_(loop), server_(server) {
        http::Handler handler;
        handler.on_request = [this](const http::Request& request) {
            http::Response head;
            head.headers["content-type"] = "text/event-stream";
            server_.begin(request.id, std::move(head));
            open_.push_back(request.id);
        };
        server_.set_handler(std::move(handler));
        loop_.after(token_time, [this] { tell(); });
    }

private:
    void tell() {
        if (told_++ < tokens_per_stream) {
            const std::string event =
                "data: " + std::string(150, ' ') + R"({"delta":{"content":" word"}})" + "\n\n";
            for (const http::RequestId id : open_)
                server_.write(id, event);
        } else {
            for (const http::RequestId id : open_) {
                server_.write(id, "data: [DONE]\n\n");
                server_.end(id);
            }
            open_.clear();
        }
        loop_.after(token_time, [this] { tell(); });
    }

    base::AsioLoop& loop_;
    http::Server& server_;
    std::vector<http::RequestId> open_;
    long told_ = 0;
};

void edge(benchmark::State& state) {
    for (auto _ : state) {
        StreamClients clients(state.range(0));
        base::AsioLoop loop;
        const auto listening = http::listen(loop, {}).value();
        Teller teller(loop, *listening.server);
        loop.run_for(base::milliseconds(200));
        const double before = resident_bytes(getpid());
        clients.ask(listening.port, "none", tokens_per_stream);
        measure(state, loop, clients, getpid(), before);
    }
}

BENCHMARK(edge)->Arg(2'000)->Iterations(1)->Unit(benchmark::kSecond);
BENCHMARK(gateway)->Arg(2'000)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace idlewatt
