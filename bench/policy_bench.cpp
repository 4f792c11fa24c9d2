// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What one verdict costs: of the core alone, from what is known, as the planner asks for it; and
// of a car, from readings as they came.
#include <array>
#include <ctime>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/prng.hpp"
#include "figures.hpp"
#include "policy/policy.hpp"

namespace idlewatt::policy {
namespace {

constexpr std::size_t situations = 1024;
constexpr double bar_ns = 60.0;

// An owner who wants all there is, so that every rule has something to do.
core::OwnerSettings careful_owner() {
    core::OwnerSettings settings = core::preset(core::Preset::gentle);
    settings.consent = true;
    settings.reserve_km = 100.0;
    settings.price_limit_usd_per_kwh = 0.25;
    settings.carbon_limit_g_per_kwh = 400.0;
    settings.ready_by.fill({7 * 60 + 30, 80});
    settings.windows[0] = {0x7f, 18 * 60, 8 * 60};
    settings.window_count = 1;
    settings.places[0] = {52.52, 13.405, 100.0};
    settings.place_count = 1;
    return settings;
}

core::OwnerSettings usual_owner() {
    core::OwnerSettings settings = core::preset(core::Preset::balanced);
    settings.consent = true;
    settings.ready_by.fill({7 * 60 + 30, 80});
    return settings;
}

void know_all(Situation& situation, base::Prng& prng) {
    using enum core::SignalId;
    const auto of = [&](core::SignalId id, double value) { situation.know(id, value); };
    of(occupied, prng.chance(0.02) ? 1.0 : 0.0);
    of(parked, 1.0);
    of(moving, 0.0);
    of(plugged_in, prng.chance(0.95) ? 1.0 : 0.0);
    of(locked, 1.0);
    of(state_of_charge_percent, 70.0 + prng.unit() * 30.0);
    of(door_open, 0.0);
    of(battery_temperature_c, 10.0 + prng.unit() * 20.0);
    of(battery_capacity_kwh, 60.0);
    of(charger_power_w, 7'000.0);
    of(range_km, 200.0 + prng.unit() * 100.0);
    of(price_usd_per_kwh, 0.1 + prng.unit() * 0.1);
    of(carbon_g_per_kwh, 100.0 + prng.unit() * 200.0);
    of(latitude_deg, 52.52);
    of(longitude_deg, 13.405);
    of(network_metered, 0.0);
}

std::vector<Situation> some_situations() {
    base::Prng prng(1);
    std::vector<Situation> all(situations);
    for (Situation& situation : all) {
        situation.now = base::Instant{} + base::seconds(1'000'000);
        situation.wall_now = base::WallTime{1'790'000'000'000'000};
        // Evening to night, when cars stand.
        situation.local = {static_cast<std::int32_t>(prng.below(7) * core::day_s + 19 * 3600 +
                                                     prng.below(4 * 3600))};
        know_all(situation, prng);
    }
    return all;
}

double cpu_s() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void measure(benchmark::State& state, const core::OwnerSettings& settings, const char* what) {
    const Terms terms(settings);
    const std::vector<Situation> all = some_situations();
    std::vector<Memory> memories(situations);
    std::size_t at = 0;
    std::int64_t ok = 0;
    const double before_s = cpu_s();
    for (auto _ : state) {
        const Judgement judgement = decide(all[at], terms, memories[at]);
        memories[at] = judgement.memory;
        ok += judgement.verdict.may_work() ? 1 : 0;
        at = (at + 1) % situations;
    }
    const auto count = static_cast<double>(state.iterations());
    state.counters["ok"] = static_cast<double>(ok) / count;
    if (state.iterations() > 1'000'000) {
        report({.group = "policy",
                .what = what,
                .value = (cpu_s() - before_s) / count * 1e9,
                .unit = "ns",
                .compared = {},
                .bar = bar_ns,
                .better = Better::lower});
    }
}

void verdict_of_the_core(benchmark::State& state) {
    measure(state, usual_owner(), "a verdict of the core, an owner with a time of departure");
}

void verdict_of_the_core_with_every_rule(benchmark::State& state) {
    measure(state, careful_owner(), "a verdict of the core, an owner who asks for everything");
}

// Not held to the bar: a car judges twice a second.
void verdict_from_readings(benchmark::State& state) {
    const core::OwnerSettings settings = careful_owner();
    const Situation situation = some_situations().front();
    core::SignalSet signals;
    for (const core::SignalInfo& signal : core::signal_table()) {
        if (situation.known.has(signal.id))
            signals.set(signal.id, {situation.value(signal.id), situation.wall_now, situation.now});
    }
    Memory memory;
    for (auto _ : state) {
        const Judgement judgement =
            judge({settings, signals, situation.now, situation.wall_now, situation.local}, memory);
        memory = judgement.memory;
        benchmark::DoNotOptimize(memory);
    }
}

BENCHMARK(verdict_of_the_core);
BENCHMARK(verdict_of_the_core_with_every_rule);
BENCHMARK(verdict_from_readings);

}  // namespace
}  // namespace idlewatt::policy

BENCHMARK_MAIN();
