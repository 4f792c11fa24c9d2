// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Every scenario of tests/scenarios over many seeds. SIMULATION_SEEDS says how many (60 unless
// told), SIMULATION_FIRST_SEED with which to begin: a failure prints the line that repeats it.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include <gtest/gtest.h>

#include "base/log.hpp"
#include "simulator/simulator.hpp"

namespace idlewatt::simulator {
namespace {

// With fewer seeds it is no wonder if some place is not reached.
constexpr std::uint64_t seeds_for_marks = 10;

std::uint64_t from_environment(const char* name, std::uint64_t fallback) {
    const char* text = std::getenv(name);
    return text == nullptr ? fallback : std::stoull(text);
}

std::filesystem::path folder() {
    return std::filesystem::path(IDLEWATT_SOURCE_DIR) / "tests" / "scenarios";
}

Scenario scenario(const std::string& name) {
    // What others would log, thousands of times, is what the scenarios do on purpose.
    base::set_up_log("simulation", base::LogLevel::off);
    auto loaded = load_scenario((folder() / (name + ".toml")).string());
    EXPECT_TRUE(loaded.has_value()) << (loaded ? "" : loaded.error().message);
    return loaded.value_or(Scenario{});
}

std::vector<std::string> all_names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
        if (entry.path().extension() == ".toml")
            names.push_back(entry.path().stem().string());
    }
    std::ranges::sort(names);
    return names;
}

class Scenarios : public ::testing::TestWithParam<std::string> {};

TEST_P(Scenarios, HoldsForEverySeedAndGoesWhereItShould) {
    const Scenario of = scenario(GetParam());
    const auto seeds = static_cast<std::uint64_t>(
        std::ceil(of.seed_share * static_cast<double>(from_environment("SIMULATION_SEEDS", 60))));
    const std::uint64_t first = from_environment("SIMULATION_FIRST_SEED", 1);
    std::map<std::string, std::uint64_t> marks;
    std::map<std::string, std::uint64_t> outcomes;
    std::uint64_t failures = 0;
    std::uint64_t tasks = 0;
    std::uint64_t tokens = 0;
    for (std::uint64_t seed = first; seed < first + seeds && failures < 3; ++seed) {
        const Report report = run(of, seed);
        for (const auto& [mark, count] : report.marks)
            marks[mark] += count;
        for (const auto& [outcome, count] : report.outcomes)
            outcomes[outcome] += count;
        tasks += report.tasks;
        tokens += report.tokens;
        if (report.violations.empty())
            continue;
        ++failures;
        ADD_FAILURE() << explain(report) << "repeat it: SIMULATION_FIRST_SEED=" << seed
                      << " SIMULATION_SEEDS=1 tests/simulator_test --gtest_filter='*/" << GetParam()
                      << "'";
    }
    for (const std::string& mark : of.reach) {
        EXPECT_TRUE(marks[mark] > 0 || seeds < seeds_for_marks) << "no seed came to " << mark;
    }
    std::cout << "  " << seeds << " seeds, " << tasks << " steps, " << tokens << " tokens;";
    for (const auto& [outcome, count] : outcomes)
        std::cout << " " << outcome << " " << count;
    std::cout << "\n";
}

INSTANTIATE_TEST_SUITE_P(All, Scenarios, ::testing::ValuesIn(all_names()),
                         [](const auto& name) { return name.param; });

TEST(Simulation, SaysTheSameBytesForTheSameSeed) {
    for (const std::string& name : all_names()) {
        const Scenario of = scenario(name);
        const Report one = run(of, 1);
        const Report other = run(of, 1);
        EXPECT_TRUE(one.trace == other.trace) << name;
        EXPECT_GT(one.trace.size(), 10'000u);
    }
}

TEST(Simulation, ReplaysChurnByteForByteAndTellsSeedsApart) {
    const Scenario of = scenario("mid_answer_churn");
    std::string before;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        const Report one = run(of, seed);
        const Report other = run(of, seed);
        EXPECT_TRUE(one.trace == other.trace) << "seed " << seed;
        EXPECT_EQ(one.tasks, other.tasks) << "seed " << seed;
        EXPECT_FALSE(one.trace == before);
        before = one.trace;
    }
}

// The checkers' canaries: with a fault planted in the code itself, a run must fail, soon.
struct Canary {
    std::string fault;
    std::string scenario;
};

class Canaries : public ::testing::TestWithParam<Canary> {};

TEST_P(Canaries, AreFoundWithinTwentySeeds) {
    const Scenario of = scenario(GetParam().scenario);
    const PlantedFault planted{GetParam().fault, 1};
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const Report report = run(of, seed, &planted);
        if (report.planted_fault_fired && !report.violations.empty()) {
            std::cout << "  found with seed " << seed << ": " << report.violations.front() << "\n";
            return;
        }
    }
    FAIL() << GetParam().fault << " was not noticed in 20 seeds";
}

INSTANTIATE_TEST_SUITE_P(All, Canaries,
                         ::testing::Values(Canary{"gateway.drop_resumed_piece", "mid_answer_churn"},
                                           Canary{"gateway.duplicate_piece", "mid_answer_churn"},
                                           Canary{"gateway.wrong_resume_count", "mid_answer_churn"},
                                           Canary{"agent.deaf_to_owner", "mid_answer_churn"},
                                           Canary{"agent.lose_receipt", "mid_answer_churn"}),
                         [](const auto& canary) {
                             std::string name = canary.param.fault;
                             std::ranges::replace(name, '.', '_');
                             return name;
                         });

}  // namespace
}  // namespace idlewatt::simulator
