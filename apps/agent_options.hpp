// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What idlewatt-agent is told: by flags, the environment and configuration files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace idlewatt {

struct CarOptions {
    bool enrol = false;  // the command `enrol`: become a car of a cell, then end

    std::string state_dir;
    std::string script_path;
    std::uint32_t slots = 2;
    std::uint32_t context_tokens_per_slot = 2048;
    bool verbose = false;

    // ── where it belongs: by enrolment, or told by hand ──
    std::string coordinator_url;
    std::optional<std::string> enrolment_token;
    std::string name;  // for people
    std::string ca_file;
    bool insecure = false;  // plain text to other machines
    std::string vehicle;
    std::optional<std::string> cell;
    std::vector<std::string> nats_urls;
    std::string credentials_file;

    // ── what it holds: by assignment, or told by hand ──
    std::string model_path;
    std::string model_name;
    std::string cache_dir;
    std::uint64_t cache_bytes = 0;

    // ── stories and checks ──
    std::string tap_path;
    std::uint32_t vehicle_index = 0;
    std::uint32_t vehicle_count = 1;
    double speed = 1.0;
    std::int64_t story_start_us = 0;
};

inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;

// Either what to do, or the exit code of a program that has said all it had to say (--help, or what
// is wrong with the arguments).
struct ParsedOptions {
    std::optional<CarOptions> options;
    int exit_code = 0;
};
[[nodiscard]] ParsedOptions parse_agent_options(int argc, char** argv);

// Says it on stderr; the exit code.
int fail_agent(const base::Error& error);

}  // namespace idlewatt
