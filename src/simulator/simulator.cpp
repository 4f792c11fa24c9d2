// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/simulator.hpp"

#include <algorithm>

#include "base/fault_point.hpp"
#include "simulator/simulation.hpp"

namespace idlewatt::simulator {

Report run(const Scenario& scenario, std::uint64_t seed, const PlantedFault* planted) {
    base::FaultPoints points;
    if (planted != nullptr)
        points.arm(planted->name, planted->at_passing);
    Simulation simulation(scenario, seed);
    Report report = simulation.run();
    report.marks = points.passings();
    report.planted_fault_fired = planted != nullptr && points.fired(planted->name);
    return report;
}

std::string explain(const Report& report) {
    std::string text = "scenario " + report.scenario + ", seed " + std::to_string(report.seed) +
                       ": " + std::to_string(report.violations.size()) + " violations\n";
    for (const std::string& violation : report.violations)
        text += "  " + violation + "\n";
    return text;
}

}  // namespace idlewatt::simulator
