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
#include <cstdint>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "bench_cell.hpp"
#include "figures.hpp"
#include "http/beast_server.hpp"
#include "stream_clients.hpp"

namespace idlewatt {
namespace {

constexpr int cores = 2;
// Each stream speaks for 48 s, so that all are open at once for most of it.
constexpr base::Duration token_time = base::milliseconds(500);
constexpr long tokens_per_stream = 96;
constexpr base::Duration measured = base::seconds(10);
constexpr base::Duration patience = base::seconds(120);

// Of the whole system: this process, its children, and whatever they start.
const bool confined = [] {
    confine_to(cores);
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return true;
}();

// Runs until all are open, for the time measured, and until all have ended.
void measure(benchmark::State& state, base::AsioLoop& loop, const StreamClients& clients, int pid,
             double before, const std::string& who) {
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
    const std::string of = ", " + std::to_string(streams) + " streams at " + who;
    report({"memory",
            "per open stream" + of,
            state.counters["bytes_per_stream"],
            "bytes",
            "",
            {},
            Better::lower});
    report({"streams",
            "tokens passed on per second of one core" + of,
            state.counters["tokens_per_s"] / state.counters["gateway_cpu"],
            "1/s",
            "",
            {}});
    report({"streams", "answers broken off or lost" + of,
            static_cast<double>(streams - figures.whole), "", "", 0.0, Better::lower});
}

void gateway(benchmark::State& state) {
    const long streams = state.range(0);
    for (auto _ : state) {
        StreamClients first(1);  // before there are threads
        StreamClients clients(streams);
        const Folder folder;
        base::AsioLoop loop;
        CellOptions options;
        options.slots = streams * 5 / 4;
        options.token_time = token_time;
        const Cell cell(loop, folder.path, options);
        loop.run_for(base::seconds(3));  // announcements
        // What is made once is no stream's.
        first.ask(cell.port, cell.api_key, 2);
        if (!cli::run_until(
                loop, [&] { return first.figures().whole == 1; }, patience))
            return state.SkipWithError("the gateway gives no answer");
        const double before = resident_bytes(cell.gateway->pid());
        clients.ask(cell.port, cell.api_key, tokens_per_stream);
        measure(state, loop, clients, cell.gateway->pid(), before, "a gateway");
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
        measure(state, loop, clients, getpid(), before, "the HTTP server alone");
    }
}

BENCHMARK(edge)->Arg(2'000)->Iterations(1)->Unit(benchmark::kSecond);
BENCHMARK(gateway)->Arg(2'000)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace idlewatt
