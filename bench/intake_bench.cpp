// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What announcements cost a gateway: the program itself on a real NATS server, and a process that
// announces 50,000 or 200,000 cars to it, all on two cores.
//
// Each car's first announcement has its proof of a fleet checked, a signature of the cell's
// account; the later ones show the same proof, which the gateway has remembered. So the two are
// measured apart: first all cars once, slowly, then 50,000 announcements a second for some time.
// Lost is what was published and not counted by the gateway, wherever it was lost.
#include <array>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "bench_cell.hpp"
#include "figures.hpp"
#include "intake_cars.hpp"

namespace idlewatt {
namespace {

constexpr int cores = 2;
constexpr long offered_per_s = 50'000;
constexpr long learnt_per_s = 6'000;
constexpr base::Duration measured = base::seconds(10);
constexpr base::Duration patience = base::seconds(90);
constexpr base::Duration settled_after = base::milliseconds(500);

const std::vector<int> confined = confine_to(cores);

// What the gateway's /metrics say; 0: nothing.
double metric(const Cell& cell, std::string_view series) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(cell.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string question =
        "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer " +
        cell.api_key + "\r\n\r\n";
    std::string text;
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
        send(fd, question.data(), question.size(), MSG_NOSIGNAL) > 0) {
        std::array<char, 16 * 1024> buffer{};
        for (ssize_t count = 0; (count = recv(fd, buffer.data(), buffer.size(), 0)) > 0;)
            text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    close(fd);
    const std::string line = '\n' + std::string(series) + ' ';
    const std::size_t at = text.find(line);
    return at == std::string::npos ? 0.0 : std::strtod(text.c_str() + at + line.size(), nullptr);
}

double taken(const Cell& cell) {
    return metric(cell, "idlewatt_announcements_total{outcome=\"taken\"}");
}

// Once nothing more comes: what is still on its way is not lost.
double taken_at_last(base::AsioLoop& loop, const Cell& cell) {
    double before = -1.0;
    double now = taken(cell);
    while (now > before) {
        loop.run_for(settled_after);
        before = std::exchange(now, taken(cell));
    }
    return now;
}

std::string cars_named(long cars) {
    return std::to_string(cars / 1000) + ",000 cars";
}

void report_steady(long cars, double sent, double took, double cpu_s) {
    const std::string of = ", " + cars_named(cars);
    report({"intake",
            "announcements offered and taken in" + of,
            took / measured.seconds(),
            "1/s",
            "offered: " + std::to_string(std::lround(sent / measured.seconds())) + " 1/s",
            {}});
    report({"intake", "announcements taken in per second of one core" + of, took / cpu_s, "1/s",
            "the gateway's own CPU time, all threads", double{offered_per_s}});
    report({"intake", "announcements lost" + of, sent - took, "", "", 0.0, Better::lower});
}

void intake(benchmark::State& state) {
    const long cars = state.range(0);
    for (auto _ : state) {
        IntakeCars announcers(cars);  // before there are threads
        const Folder folder;
        base::AsioLoop loop;
        const Cell cell(loop, folder.path, {.slots = 0});  // no other cars
        const int pid = cell.gateway->pid();
        announcers.prepare(static_cast<std::uint16_t>(
                               std::stoi(cell.nats.url.substr(cell.nats.url.rfind(':') + 1))),
                           folder.path, bench_model);
        const auto prepared = [&] { return announcers.figures().prepared.load(); };
        if (!cli::run_until(loop, prepared, patience))
            return state.SkipWithError("the cars could not be made");
        loop.run_for(base::seconds(2));
        const double before = resident_bytes(pid);
        const double known = taken(cell);
        double cpu = cpu_seconds(pid);
        announcers.set_rate(learnt_per_s);
        const auto all_sent = [&] { return announcers.figures().sent >= cars; };
        if (!cli::run_until(loop, all_sent, patience) || announcers.figures().failed)
            return state.SkipWithError("the cars could not announce themselves");
        announcers.set_rate(0);
        const double first = taken_at_last(loop, cell) - known;
        report({"intake",
                "a car's first announcement, its proof checked, " + cars_named(cars),
                (cpu_seconds(pid) - cpu) * 1e6 / first,
                "µs",
                "CPU time",
                {},
                Better::lower});
        report({"memory",
                "per announced car, " + cars_named(cars),
                (resident_bytes(pid) - before) / static_cast<double>(cars),
                "bytes",
                "",
                {},
                Better::lower});

        const auto sent_before = static_cast<double>(announcers.figures().sent.load());
        const double taken_before = taken(cell);
        cpu = cpu_seconds(pid);
        announcers.set_rate(offered_per_s);
        loop.run_for(measured);
        announcers.set_rate(0);
        const double taken_after = taken_at_last(loop, cell);
        cpu = cpu_seconds(pid) - cpu;
        const double sent = static_cast<double>(announcers.figures().sent) - sent_before;
        const double took = taken_after - taken_before;
        if (announcers.figures().failed || took <= 0)
            return state.SkipWithError("the server sent the cars away, or the gateway is gone");
        report_steady(cars, sent, took, cpu);
        state.counters["taken_per_s"] = took / measured.seconds();
        state.counters["cpu"] = cpu / measured.seconds();
    }
}
BENCHMARK(intake)->Arg(50'000)->Arg(200'000)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace idlewatt
