// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/scenario.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace idlewatt::simulator {

namespace {

constexpr std::array<std::string_view, fault_kind_count> fault_names = {
    "occupied",     "unplugged",      "signal_missing",  "charge_low",     "charge_empty",
    "agent_killed", "agent_frozen",   "engine_crashed",  "engine_stalled", "partitioned",
    "server_down",  "gateway_killed", "coordinator_down"};
constexpr std::array<std::string_view, check_count> check_names = {
    "answers", "owner", "receipts", "figures", "quiet", "every_answer"};

template <class Enum, std::size_t n>
std::optional<Enum> find(const std::array<std::string_view, n>& names, std::string_view name) {
    const auto found = std::ranges::find(names, name);
    if (found == names.end())
        return std::nullopt;
    return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::string_view name(FaultKind kind) {
    return fault_names[static_cast<std::size_t>(kind)];
}

std::optional<FaultKind> find_fault_kind(std::string_view name) {
    return find<FaultKind>(fault_names, name);
}

bool strikes_a_car(FaultKind kind) {
    return kind != FaultKind::server_down && kind != FaultKind::gateway_killed &&
           kind != FaultKind::coordinator_down;
}

std::string_view name(Check check) {
    return check_names[static_cast<std::size_t>(check)];
}

std::optional<Check> find_check(std::string_view name) {
    return find<Check>(check_names, name);
}

base::Result<Scenario> load_scenario(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) {
        return base::fail(base::ErrorKind::not_found,
                          path + " cannot be read; name a scenario file in TOML");
    }
    return parse_scenario(text.str(), path);
}

}  // namespace idlewatt::simulator
