// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt demo, as a command.
#pragma once

namespace CLI {
class App;
}

namespace idlewatt::cli {

// Adds `demo` to the program. exit_code is set when it has run.
void add_demo_command(CLI::App& app, int& exit_code);

}  // namespace idlewatt::cli
