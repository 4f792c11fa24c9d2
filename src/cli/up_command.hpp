// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt up, as a command.
#pragma once

#include "cli/context.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

void add_up_command(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
