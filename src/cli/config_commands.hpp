// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt config show | validate | example: the settings of this machine, where each comes from,
// and whether a file is right.
#pragma once

#include <string>

#include "cli/admin_call.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

// Secrets are never shown, only where they come from.
ExitCode config_show(const config::Settings& settings, bool origin, const Output& output);
ExitCode config_validate(const std::string& path, const Output& output);

void add_config_commands(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
