// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What one decision of the scheduler costs.
#include <algorithm>
#include <array>
#include <ctime>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/prng.hpp"
#include "figures.hpp"
#include "scheduler/scheduler.hpp"

namespace idlewatt::scheduler {
namespace {

CarLoad load_of(CarNumber car, std::uint32_t busy) {
    return {.slots_total = 4,
            .slots_free = 4 - busy,
            .tokens_per_second = 20,
            .identity = mixed(car),
            .stay_p10 = base::minutes(30)};
}

ReadySet fleet(std::int64_t cars) {
    base::Prng prng(1);
    ReadySet set;
    for (CarNumber car = 0; car < cars; ++car)
        set.put(car, load_of(car, static_cast<std::uint32_t>(prng.below(3))));
    return set;
}

void sizes(benchmark::internal::Benchmark* it) {
    it->Arg(1'000)->Arg(100'000)->Arg(1'000'000);
}

void choose_by_load(benchmark::State& state) {
    const ReadySet set = fleet(state.range(0));
    base::Prng prng(2);
    for (auto _ : state)
        benchmark::DoNotOptimize(set.choose({.stay = base::seconds(20)}, prng));
}
BENCHMARK(choose_by_load)->Apply(sizes);

void choose_by_affinity(benchmark::State& state) {
    const ReadySet set = fleet(state.range(0));
    base::Prng prng(2);
    for (auto _ : state) {
        const Wish wish{.affinity = prng.next(), .stay = base::seconds(20)};
        benchmark::DoNotOptimize(set.choose(wish, prng));
    }
}
BENCHMARK(choose_by_affinity)->Apply(sizes);

// Every car's announcement, once a second.
void update(benchmark::State& state) {
    ReadySet set = fleet(state.range(0));
    base::Prng prng(2);
    for (auto _ : state) {
        const auto car =
            static_cast<CarNumber>(prng.below(static_cast<std::uint64_t>(state.range(0))));
        set.put(car, load_of(car, static_cast<std::uint32_t>(prng.below(4))));
    }
}
BENCHMARK(update)->Apply(sizes);

// A car that becomes full and free again.
void leave_and_return(benchmark::State& state) {
    ReadySet set = fleet(state.range(0));
    base::Prng prng(2);
    for (auto _ : state) {
        const auto car =
            static_cast<CarNumber>(prng.below(static_cast<std::uint64_t>(state.range(0))));
        set.put(car, load_of(car, 4));
        set.put(car, load_of(car, 0));
    }
}
BENCHMARK(leave_and_return)->Apply(sizes);

void breaker_allows(benchmark::State& state) {
    Breakers breakers;
    std::vector<core::VehicleId> cars;
    for (int i = 0; i < 10'000; ++i) {
        cars.emplace_back("vehicle-" + std::to_string(i));
        breakers.attempt_ended(cars.back(), Ending::silent, base::Instant{});
    }
    base::Prng prng(2);
    for (auto _ : state)
        benchmark::DoNotOptimize(breakers.allows(cars[prng.below(cars.size())], base::Instant{1}));
}
BENCHMARK(breaker_allows);

void rate_limit(benchmark::State& state) {
    RateLimiter limiter;
    const core::KeyLimits limits{
        .requests_per_minute = 600, .tokens_per_minute = 1'000'000, .requests_at_once = 64};
    std::vector<core::KeyId> keys;
    for (int i = 0; i < 10'000; ++i)
        keys.emplace_back("key-" + std::to_string(i));
    base::Prng prng(2);
    base::Instant now;
    for (auto _ : state) {
        now = now + base::microseconds(100);
        const core::KeyId& key = keys[prng.below(keys.size())];
        benchmark::DoNotOptimize(limiter.ask(key, limits, 1000, now));
        limiter.ended(key, 1000, 300, now);
    }
}
BENCHMARK(rate_limit);

// ── the figures of the table ────────────────────────────────────────────────────────────────────

double thread_cpu_ns() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Cars of 16 fleets and some of none; half of them take
// pictures, one in ten is full.
CarLoad mixed_load(CarNumber car, base::Prng& prng) {
    CarLoad load = load_of(car, prng.chance(0.1) ? 4 : static_cast<std::uint32_t>(prng.below(3)));
    load.fleet = car % 17;
    load.abilities = car % 2 == 0 ? takes_images : 0;
    load.stay_p10 = base::seconds(static_cast<std::int64_t>(10 + prng.below(3600)));
    return load;
}

// As clients ask: half of them for their own fleet's cars only, some with pictures, some for a
// second try.
Wish mixed_wish(base::Prng& prng, std::span<const CarNumber> failed) {
    Wish wish{.stay = base::seconds(20)};
    wish.fleet = prng.chance(0.5) ? static_cast<FleetNumber>(1 + prng.below(16)) : any_fleet;
    wish.abilities = prng.chance(0.1) ? takes_images : 0;
    if (prng.chance(0.05))
        wish.excluded = failed;
    return wish;
}

struct PlacementCost {
    std::int64_t cars;
    ReadySet set{};
    std::vector<double> by_load{};  // ns of each round
    std::vector<double> by_affinity{};
    std::vector<double> update{};
};

std::string cars_named(std::int64_t cars) {
    return cars < 1'000'000 ? std::to_string(cars / 1000) + ",000 ready cars"
                            : std::to_string(cars / 1'000'000) + ",000,000 ready cars";
}

double median(std::vector<double> values) {
    std::ranges::nth_element(values,
                             values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
    return values[values.size() / 2];
}

template <class Step>
double ns_each(int count, Step step) {
    const double begin = thread_cpu_ns();
    for (int i = 0; i < count; ++i)
        step();
    return (thread_cpu_ns() - begin) / count;
}

// All sizes in turn, so that none has the caches or the machine to itself.
void placement_figures(benchmark::State& state) {
    constexpr int rounds = 25;
    constexpr int choices = 20'000;
    constexpr double bar_ns = 1000.0;
    for (auto _ : state) {
        base::Prng prng(5);
        std::array<PlacementCost, 3> costs{{{1'000}, {100'000}, {1'000'000}}};
        for (PlacementCost& cost : costs) {
            for (CarNumber car = 0; car < cost.cars; ++car)
                cost.set.put(car, mixed_load(car, prng));
        }
        for (int round = 0; round < rounds; ++round) {
            for (PlacementCost& cost : costs) {
                const std::array<CarNumber, 1> failed{static_cast<CarNumber>(round)};
                cost.by_load.push_back(ns_each(choices, [&] {
                    benchmark::DoNotOptimize(cost.set.choose(mixed_wish(prng, failed), prng));
                }));
                cost.by_affinity.push_back(ns_each(choices, [&] {
                    Wish wish = mixed_wish(prng, failed);
                    wish.affinity = prng.next();
                    benchmark::DoNotOptimize(cost.set.choose(wish, prng));
                }));
                cost.update.push_back(ns_each(choices, [&] {
                    const auto car =
                        static_cast<CarNumber>(prng.below(static_cast<std::uint64_t>(cost.cars)));
                    cost.set.put(car, mixed_load(car, prng));
                }));
            }
        }
        for (const PlacementCost& cost : costs) {
            const std::string of = ", " + cars_named(cost.cars);
            report({"placement", "by load" + of, median(cost.by_load), "ns", "CPU time", bar_ns,
                    Better::lower});
            report({"placement", "by the conversation's car" + of, median(cost.by_affinity), "ns",
                    "CPU time", bar_ns, Better::lower});
            report({"placement",
                    "a car's new load taken in" + of,
                    median(cost.update),
                    "ns",
                    "CPU time",
                    {},
                    Better::lower});
        }
    }
}
BENCHMARK(placement_figures)->Iterations(1)->Unit(benchmark::kMillisecond);

struct PlacementTask {
    std::vector<CarToPlace> cars;
    std::vector<ModelToPlace> models;
};

// Cars of three sizes; `holding`: they hold models at random, so that much is to be moved.
PlacementTask placement_task(std::int64_t cars, std::int64_t models, bool holding) {
    constexpr std::uint64_t gib = std::uint64_t{1} << 30;
    base::Prng prng(3);
    PlacementTask task;
    for (std::int64_t m = 0; m < models; ++m) {
        task.models.push_back(
            {.bytes = (1 + prng.below(12)) * gib, .replicas_min = 3, .demand = prng.unit() * 1000});
    }
    for (std::int64_t c = 0; c < cars; ++c) {
        CarToPlace car{.memory_bytes = (8 << prng.below(3)) * gib,
                       .tokens_per_second = prng.unit()};
        if (holding)
            car.model = static_cast<ModelNumber>(prng.below(task.models.size()));
        while (prng.chance(0.5))
            car.cached.push_back(static_cast<ModelNumber>(prng.below(task.models.size())));
        task.cars.push_back(std::move(car));
    }
    return task;
}

void place_fleet(benchmark::State& state) {
    const PlacementTask task = placement_task(state.range(0), state.range(1), state.range(2) != 0);
    std::size_t changes = 0;
    for (auto _ : state)
        changes = place(task.cars, task.models).size();
    state.counters["changes"] = static_cast<double>(changes);
}
BENCHMARK(place_fleet)
    ->ArgNames({"cars", "models", "holding"})
    ->Args({10'000, 10, 0})
    ->Args({10'000, 10, 1})
    ->Args({10'000, 200, 0})
    ->Args({10'000, 200, 1})
    ->Args({100'000, 10, 1})
    ->Args({1'000'000, 10, 1})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace idlewatt::scheduler
