// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the parts of one simulated world share: time, network, scenario, story.
#pragma once

#include "base/simulated_loop.hpp"
#include "bus/memory_bus.hpp"
#include "simulator/books_checker.hpp"
#include "simulator/scenario.hpp"
#include "simulator/trace.hpp"
#include "wire/subject.hpp"

namespace idlewatt::simulator {

struct World {
    World(const Scenario& of, std::uint64_t with_seed)
        : scenario(of), seed(with_seed), hub(loop, with_seed * 31 + 1), trace(loop) {}

    const Scenario& scenario;
    std::uint64_t seed;
    base::SimulatedLoop loop;
    bus::MemoryHub hub;
    Trace trace;
    BooksChecker books;
    wire::Subjects subjects{"c1"};

    // For independent generators, one per part.
    [[nodiscard]] std::uint64_t seed_of(std::uint64_t part) const {
        return seed * 1'000'003 + part;
    }
    [[nodiscard]] bool checks(Check check) const { return scenario.checks.contains(check); }
};

}  // namespace idlewatt::simulator
