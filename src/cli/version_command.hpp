// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt version.
#pragma once

#include <iosfwd>
#include <string>

#include "cli/context.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

ExitCode print_version(const std::string& version, bool json, std::ostream& out);

void add_version_command(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
