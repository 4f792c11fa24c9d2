// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt demo, as a command.
#pragma once

#include "cli/context.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

// Adds `demo` to the program.
void add_demo_command(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
