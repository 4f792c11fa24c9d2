// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt version.
#pragma once

#include <iosfwd>
#include <string>

#include "cli/exit_code.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

ExitCode print_version(const std::string& version, bool json, std::ostream& out);

// Adds `version` to the program. exit_code is set when it has run.
void add_version_command(CLI::App& app, const std::string& version, int& exit_code);

}  // namespace idlewatt::cli
