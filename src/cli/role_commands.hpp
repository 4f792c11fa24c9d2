// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The roles as commands: "gateway", "coordinator" and "agent".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/context.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

void add_gateway_command(CLI::App& app, Context& context);
void add_coordinator_command(CLI::App& app, Context& context);
void add_agent_command(CLI::App& app, Context& context);

// What follows `agent --` is for idlewatt-agent unread: our parser would take `--help` and all that
// it does not know for itself. Ask before it; nullopt: not that command.
[[nodiscard]] std::optional<std::vector<std::string>> words_for_agent(
    const std::vector<std::string>& words);
// Comes back, with the code to end with, only if the program cannot be started.
int become_agent(const std::vector<std::string>& arguments);

}  // namespace idlewatt::cli
