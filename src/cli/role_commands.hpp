// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The roles as commands: "gateway", "coordinator" and "agent".
#pragma once

#include "cli/context.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

void add_gateway_command(CLI::App& app, Context& context);
void add_coordinator_command(CLI::App& app, Context& context);
void add_agent_command(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
