// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/fault_plan.hpp"

#include <algorithm>
#include <cmath>

namespace idlewatt::simulator {

namespace {

std::uint32_t targets(const Scenario& scenario, FaultKind kind) {
    if (strikes_a_car(kind))
        return scenario.vehicles;
    return kind == FaultKind::gateway_killed ? scenario.gateways : 1;
}

}  // namespace

base::Duration draw(const Span& span, base::Prng& prng) {
    const auto width = static_cast<std::uint64_t>(span.max.ns - span.min.ns);
    return span.min + base::Duration{static_cast<std::int64_t>(prng.below(width + 1))};
}

std::vector<PlannedFault> plan_faults(const Scenario& scenario, base::Prng& prng) {
    std::vector<PlannedFault> plan;
    for (const FaultRate& rate : scenario.rates) {
        // A Poisson process: exponential times between events.
        double at_s = 0.0;
        while (rate.per_minute > 0.0) {
            at_s += -std::log(1.0 - prng.unit()) * 60.0 / rate.per_minute;
            if (at_s >= scenario.duration.seconds())
                break;
            const auto target =
                static_cast<std::uint32_t>(prng.below(targets(scenario, rate.kind)));
            plan.push_back({base::from_seconds(at_s), draw(rate.lasts, prng), rate.kind, target});
        }
    }
    for (const TimedFault& fault : scenario.timed) {
        const std::uint32_t count = targets(scenario, fault.kind);
        for (std::uint32_t target = fault.all_but; target < count; ++target)
            plan.push_back({fault.at, fault.lasts, fault.kind, target});
    }
    for (PlannedFault& fault : plan)
        fault.lasts =
            std::min(fault.lasts, scenario.duration - std::min(fault.at, scenario.duration));
    std::ranges::stable_sort(plan, {}, [](const PlannedFault& fault) { return fault.at.ns; });
    return plan;
}

}  // namespace idlewatt::simulator
