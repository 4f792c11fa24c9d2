// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The view of a million cars that a gateway chooses from: what a choice costs as the gateway makes
// it, what an announcement costs and how much memory a car takes. The view alone, in this process.
#include <algorithm>
#include <array>
#include <ctime>
#include <string>

#include <unistd.h>

#include <benchmark/benchmark.h>

#include "bench_cell.hpp"
#include "figures.hpp"
#include "gateway/fleet_view.hpp"

namespace idlewatt {
namespace {

constexpr int rounds = 15;
constexpr int steps = 20'000;
constexpr double placement_bar_ns = 1000.0;

double thread_ns() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

std::string fleet_named(std::uint64_t number) {
    return "fleet-" + std::to_string(number % 16);
}

// Each of them says this a second later, with other loads.
void say(core::Announcement& said, std::uint64_t number, std::uint64_t sequence) {
    std::string digits = std::to_string(number);
    digits.insert(0, 9 - digits.size(), '0');
    said.vehicle = core::VehicleId("bench-vehicle-" + digits);
    said.incarnation = core::Incarnation(1);
    said.sequence = sequence;
    said.reason = core::Reason::ok;
    said.models = {bench_model};
    said.slots_total = 4;
    said.slots_free = static_cast<std::uint32_t>((number + sequence) % 5);
    said.tokens_per_second = 31.5;
    said.stay = core::StayForecast{base::minutes(20), base::minutes(90), base::minutes(300)};
    said.fingerprint = "0123456789abcdef";
}

template <class Step>
double ns_of_each(Step step) {
    const double begin = thread_ns();
    for (int i = 0; i < steps; ++i)
        step();
    return (thread_ns() - begin) / steps;
}

double middle(std::array<double, rounds> values) {
    std::ranges::sort(values);
    return values[rounds / 2];
}

void view(benchmark::State& state) {
    const auto cars = static_cast<std::uint64_t>(state.range(0));
    for (auto _ : state) {
        const double before = resident_bytes(getpid());
        gateway::FleetView fleet;
        core::Announcement said;
        base::Instant now{1};
        for (std::uint64_t number = 0; number < cars; ++number) {
            say(said, number, 1);
            fleet.announced(said, fleet_named(number), now);
        }
        const double bytes = (resident_bytes(getpid()) - before) / static_cast<double>(cars);
        base::Prng prng(7);
        std::array<double, rounds> chosen{};
        std::array<double, rounds> noted{};
        std::array<double, rounds> announced{};
        for (std::size_t round = 0; round < rounds; ++round) {
            const std::array<gateway::CarNumber, 1> failed{
                static_cast<gateway::CarNumber>(prng.below(cars))};
            gateway::CarNumber car = 0;
            chosen[round] = ns_of_each([&] {
                gateway::CarNeeds needs;
                if (prng.chance(0.5))
                    needs.fleet = fleet_named(prng.next());
                scheduler::Wish wish{.excluded = failed, .affinity = prng.next()};
                wish.stay = base::seconds(20);
                car = fleet.choose(bench_model, needs, wish, false, prng).value().car;
            });
            noted[round] = ns_of_each([&] {
                car = static_cast<gateway::CarNumber>(prng.below(cars));
                fleet.attempt_began(car, now);
                fleet.attempt_ended(car, scheduler::Ending::answered, now);
            });
            announced[round] = ns_of_each([&] {
                const std::uint64_t number = prng.below(cars);
                say(said, number,
                    fleet.car(static_cast<gateway::CarNumber>(number)).said.sequence + 1);
                fleet.announced(said, fleet_named(number), now);
            });
        }
        const std::string of = cars == 1'000'000 ? ", 1,000,000 cars"
                                                 : ", " + std::to_string(cars / 1000) + ",000 cars";
        report({"placement", "as a gateway chooses, model, fleet, stay, own car" + of,
                middle(chosen), "ns", "CPU time", placement_bar_ns, Better::lower});
        report({"placement",
                "an attempt noted, beginning and end" + of,
                middle(noted),
                "ns",
                "CPU time",
                {},
                Better::lower});
        report({"intake",
                "an announcement into the view" + of,
                middle(announced),
                "ns",
                "CPU time, with making it up",
                {},
                Better::lower});
        report(
            {"memory", "per car in a gateway's view" + of, bytes, "bytes", "", {}, Better::lower});
    }
}
BENCHMARK(view)->Arg(100'000)->Arg(1'000'000)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace idlewatt
