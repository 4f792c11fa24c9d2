// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What an open stream costs: 2,000 clients with an answer each that does not end. `edge` is the
// HTTP server alone; `gateway` is a gateway, its cars and their in-memory engines in one process,
// so its figure is an upper bound. The clients are a process of their own.
//   build/release/bench/gateway_streams_bench
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "agent/agent.hpp"
#include "base/asio_loop.hpp"
#include "bus/memory_bus.hpp"
#include "engine/memory_engine.hpp"
#include "gateway/gateway.hpp"
#include "http/beast_server.hpp"
#include "meter/model_meter.hpp"
#include "signals/memory_signals.hpp"
#include "spool/memory_spool.hpp"

namespace idlewatt {
namespace {

constexpr std::uint32_t slots_per_car = core::slots_max;
constexpr base::Duration token_time = base::milliseconds(500);
constexpr base::Duration patience = base::seconds(120);

double resident_bytes() {
    long total = 0;
    long resident = 0;
    FILE* file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr || std::fscanf(file, "%ld %ld", &total, &resident) != 2)
        resident = 0;
    if (file != nullptr)
        std::fclose(file);
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

void allow_many_descriptors() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

// Opens the streams and reads whatever comes, until it is killed.
class Clients {
public:
    Clients(std::uint16_t port, long streams) : pid_(fork()) {
        if (pid_ == 0) {
            read_for_ever(port, streams);
            _exit(0);
        }
    }
    ~Clients() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    Clients(const Clients&) = delete;
    Clients& operator=(const Clients&) = delete;

private:
    static int open_stream(std::uint16_t port) {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            return -1;
        const std::string body = R"({"model":"memory","stream":true,"max_tokens":100000,)"
                                 R"("messages":[{"role":"user","content":"Tell me everything."}]})";
        const std::string request =
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            "content-length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body;
        static_cast<void>(send(fd, request.data(), request.size(), MSG_NOSIGNAL));
        return fd;
    }

    static void read_for_ever(std::uint16_t port, long streams) {
        std::vector<pollfd> open;
        for (long i = 0; i < streams; ++i)
            open.push_back({open_stream(port), POLLIN, 0});
        std::vector<char> buffer(64 * 1024);
        while (getppid() != 1) {
            poll(open.data(), open.size(), 1000);
            for (pollfd& each : open) {
                if ((each.revents & POLLIN) != 0 &&
                    recv(each.fd, buffer.data(), buffer.size(), MSG_DONTWAIT) <= 0 &&
                    errno != EAGAIN) {
                    close(each.fd);
                    each.fd = -1;
                }
            }
        }
    }

    pid_t pid_;
};

template <class Condition>
bool run_until(base::AsioLoop& loop, Condition condition) {
    const base::Instant end = loop.now() + patience;
    while (!condition()) {
        if (loop.now() > end)
            return false;
        loop.run_for(base::milliseconds(5));
    }
    return true;
}

struct ParkedCar {
    ParkedCar(base::Loop& loop, bus::MemoryHub& hub, std::uint32_t number)
        : vehicle("car-" + std::to_string(number)),
          bus(hub.connect(vehicle.value, vehicle.value + "/1")),
          engine(loop, options()),
          signals(loop),
          spool(std::move(*spool::open_memory_spool(std::make_shared<spool::MemoryDisk>()))),
          key(identity::KeyPair::for_test(identity::KeyKind::user, number + 1)) {
        agent::AgentOptions wanted;
        wanted.vehicle = vehicle;
        wanted.incarnation = core::Incarnation(1);
        wanted.model = "memory";
        wanted.settings.consent = true;
        wanted.seed = number;
        agent = std::make_unique<agent::Agent>(
            agent::AgentParts{loop, *bus, engine, signals, meter, *spool, key}, std::move(wanted));
        agent->start();
    }
    static engine::MemoryEngineOptions options() {
        engine::MemoryEngineOptions options;
        options.slots = slots_per_car;
        options.context_tokens = 1'000'000;
        options.token_time = token_time;
        return options;
    }

    core::VehicleId vehicle;
    std::unique_ptr<bus::Bus> bus;
    engine::MemoryEngine engine;
    signals::MemorySignals signals;
    std::unique_ptr<spool::Spool> spool;
    identity::KeyPair key;
    meter::ModelMeter meter;
    std::unique_ptr<agent::Agent> agent;
};

void report(benchmark::State& state, double before, long streams) {
    const double each = (resident_bytes() - before) / static_cast<double>(streams);
    state.counters["streams"] = static_cast<double>(streams);
    state.counters["bytes_per_stream"] = each;
}

void edge(benchmark::State& state) {
    const long streams = state.range(0);
    for (auto _ : state) {
        base::AsioLoop loop;
        auto listening = http::listen(loop, {});
        std::vector<http::RequestId> open;
        http::Handler handler;
        handler.on_request = [&](const http::Request& request) {
            open.push_back(request.id);
            listening->server->begin(request.id, {});
        };
        listening->server->set_handler(std::move(handler));
        loop.run_for(base::milliseconds(200));
        const double before = resident_bytes();
        const Clients clients(listening->port, streams);
        const auto all_open = [&] { return open.size() == static_cast<std::size_t>(streams); };
        if (!run_until(loop, all_open))
            state.SkipWithError("not all streams were opened");
        for (int round = 0; round < 20; ++round) {
            for (const http::RequestId id : open)
                listening->server->write(id, std::string(200, 'x'));
            loop.run_for(base::milliseconds(100));
        }
        report(state, before, streams);
    }
}

void gateway(benchmark::State& state) {
    const long streams = state.range(0);
    for (auto _ : state) {
        base::AsioLoop loop;
        bus::MemoryHub hub(loop, 1);
        auto bus = hub.connect("gateway", "gateway");
        auto listening = http::listen(loop, {});
        gateway::GatewayOptions options;
        options.core.gateway = core::GatewayId("gateway");
        options.core.hedges = false;
        gateway::Gateway mind({loop, *bus, *listening->server}, std::move(options));
        mind.start();
        std::vector<std::unique_ptr<ParkedCar>> cars;
        for (std::uint32_t i = 0; i * slots_per_car < streams * 5 / 4; ++i)
            cars.push_back(std::make_unique<ParkedCar>(loop, hub, i));
        loop.run_for(base::seconds(3));
        const double before = resident_bytes();
        const Clients clients(listening->port, streams);
        const auto all_open = [&] {
            return mind.core().figures().requests_running == static_cast<std::uint64_t>(streams);
        };
        if (!run_until(loop, all_open))
            state.SkipWithError("not all streams were opened");
        loop.run_for(base::seconds(10));
        const auto figures = mind.core().figures();
        state.counters["running"] = static_cast<double>(figures.requests_running);
        state.counters["failed"] = static_cast<double>(figures.requests_failed);
        report(state, before, streams);
    }
}

BENCHMARK(edge)->Arg(2'000)->Iterations(1)->Unit(benchmark::kSecond);
BENCHMARK(gateway)->Arg(2'000)->Iterations(1)->Unit(benchmark::kSecond);

const bool descriptors_allowed = [] {
    allow_many_descriptors();
    return true;
}();

}  // namespace
}  // namespace idlewatt
