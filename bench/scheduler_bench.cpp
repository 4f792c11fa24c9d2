// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What one decision of the scheduler costs.
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/prng.hpp"
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
