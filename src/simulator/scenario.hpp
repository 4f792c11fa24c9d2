// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A scenario is a workload, faults and checks, in a TOML file (tests/scenarios/). The seed of a
// run decides everything that the file leaves open.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "bus/memory_bus.hpp"

namespace idlewatt::simulator {

enum class FaultKind {
    occupied,          // somebody gets in, and out again
    unplugged,         // the cable is pulled, and put back
    signal_missing,    // the cable's state is unknown for a while
    charge_low,        // below the reserve: drain
    charge_empty,      // below the floor: recall
    agent_killed,      // SIGKILL; restarted after the span
    agent_frozen,      // SIGSTOP; goes on after the span
    engine_crashed,    // restarts by itself
    engine_stalled,    // SIGSTOP of the engine; the twin ends a hung process after 1.5 s
    partitioned,       // the car is cut off from the bus
    server_down,       // the bus's server
    gateway_killed,    // SIGKILL; replaced after the span
    coordinator_down,  // restarted after the span
};
inline constexpr std::size_t fault_kind_count = 13;

[[nodiscard]] std::string_view name(FaultKind kind);
[[nodiscard]] std::optional<FaultKind> find_fault_kind(std::string_view name);
// Such a fault happens to one car; the others to a gateway or to all.
[[nodiscard]] bool strikes_a_car(FaultKind kind);

struct Span {
    base::Duration min;
    base::Duration max;
};

// At random moments, on random cars or gateways.
struct FaultRate {
    FaultKind kind = FaultKind::occupied;
    double per_minute = 0.0;  // in the whole fleet
    Span lasts;
};

// At a stated moment; all_but cars stay as they are.
struct TimedFault {
    FaultKind kind = FaultKind::occupied;
    base::Duration at;
    base::Duration lasts;
    std::uint32_t all_but = 0;
};

struct ClientHabits {
    std::uint32_t count = 10;
    double streamed = 0.8;  // share of questions
    double hang_up = 0.05;  // share whose client leaves before the end
    double slow = 0.1;      // share whose client stops reading for a while
    Span slow_for{base::milliseconds(200), base::seconds(5)};
    double endless = 0.2;     // share without max_tokens: the engine ends the answer itself
    double long_text = 0.02;  // share with a body of several parts
    // Shares of questions with more than one choice, with a function to call, with thoughts; and
    // of those that are no chat.
    double choices = 0.0;
    double tools = 0.0;
    double reasoning = 0.0;
    double completions = 0.0;
    double embeddings = 0.0;
    std::uint32_t tokens_min = 1;
    std::uint32_t tokens_max = 120;
    Span pause{base::milliseconds(100), base::seconds(2)};
};

enum class Check {
    answers,       // what clients got is a beginning of the right answer, whole or openly broken
    owner,         // no engine runs while its car's signals forbid it
    receipts,      // each signed receipt arrives once; nothing is acknowledged twice
    figures,       // the gateways' own counts agree
    quiet,         // after the quiet time nothing is open anywhere
    every_answer,  // (for calm weather) every answer is whole and acknowledged to the last token
};
inline constexpr std::size_t check_count = 6;
[[nodiscard]] std::string_view name(Check check);
[[nodiscard]] std::optional<Check> find_check(std::string_view name);

struct Scenario {
    std::string name;
    std::string description;

    std::uint32_t vehicles = 5;
    std::uint32_t slots = 2;
    std::uint32_t gateways = 1;
    base::Duration duration = base::seconds(30);  // clients ask and faults begin in this time
    base::Duration token_time = base::milliseconds(20);
    base::Duration first_token_time = base::milliseconds(40);
    base::Duration load_time = base::milliseconds(300);
    base::Duration reentry_delay = base::seconds(1);
    base::Duration drain_dwell = base::seconds(2);

    ClientHabits clients;
    bus::Weather weather;
    std::vector<FaultRate> rates;
    std::vector<TimedFault> timed;
    std::set<Check> checks;
    std::vector<std::string> reach;  // marks that some seed must hit
    double seed_share = 1.0;         // of the seeds that a test is asked to run
};

// Errors name the line, what was found and what was expected. source is what messages call the
// text.
[[nodiscard]] base::Result<Scenario> parse_scenario(std::string_view toml,
                                                    std::string_view source = "scenario");
[[nodiscard]] base::Result<Scenario> load_scenario(const std::string& path);

}  // namespace idlewatt::simulator
