// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Runs the production roles on simulated time, bus, disks, cars, engines and clients, lets things
// go wrong as a scenario says and checks what must hold anyway. One seed is one run, to the byte:
// a failure is replayed by running its seed again.
//
// Start here; then scenario.hpp (what can be asked for), answer_checker.hpp and books_checker.hpp
// (what must hold), simulation.hpp (the world).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "simulator/scenario.hpp"

namespace idlewatt::simulator {

// A fault of the code itself, to prove that the checkers see it; see base/fault_point.hpp.
struct PlantedFault {
    std::string name;
    std::uint64_t at_passing = 1;
};

struct Report {
    std::string scenario;
    std::uint64_t seed = 0;
    std::string trace;                              // every event that a stranger could see
    std::vector<std::string> violations;            // empty: everything held
    std::map<std::string, std::uint64_t> outcomes;  // of questions, by how they ended
    std::map<std::string, std::uint64_t> marks;     // places in the code that were reached
    bool planted_fault_fired = false;
    std::uint64_t tasks = 0;  // steps of the loop
    std::uint64_t tokens = 0;
    double simulated_s = 0.0;
};

// The same arguments give the same report, whatever else the machine does.
[[nodiscard]] Report run(const Scenario& scenario, std::uint64_t seed,
                         const PlantedFault* planted = nullptr);

// What a person needs to see of a failure and how to repeat it.
[[nodiscard]] std::string explain(const Report& report);

}  // namespace idlewatt::simulator
