// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What goes wrong in one run, and when: drawn from the scenario and the seed before it begins.
#pragma once

#include <cstdint>
#include <vector>

#include "base/prng.hpp"
#include "simulator/scenario.hpp"

namespace idlewatt::simulator {

struct PlannedFault {
    base::Duration at;
    base::Duration lasts;  // ends at the end of the scenario's duration at the latest
    FaultKind kind = FaultKind::occupied;
    std::uint32_t target = 0;  // number of the car or gateway
};

[[nodiscard]] base::Duration draw(const Span& span, base::Prng& prng);
// In order of time.
[[nodiscard]] std::vector<PlannedFault> plan_faults(const Scenario& scenario, base::Prng& prng);

}  // namespace idlewatt::simulator
