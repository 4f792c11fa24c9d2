// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The server roles as commands: "gateway" and "coordinator".
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace idlewatt::cli {

void add_role_commands(CLI::App& app, int& exit_code);

}  // namespace idlewatt::cli
