// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What every command shares: which file of settings was named, and how the program will end. Flags
// of a command come from the schema of settings, so that both have the same names and bounds.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "cli/exit_code.hpp"
#include "config/config.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

struct Context {
    std::string version;
    std::string config_file;  // --config; empty: none
    int exit_code = 0;

    void ends_with(ExitCode code) { exit_code = to_int(code); }
};

// Values by key, as they were given on the command line.
using Flags = std::map<std::string, std::string>;

// Adds the role's flags. What they are given is in the result when the command runs.
[[nodiscard]] std::shared_ptr<Flags> add_setting_flags(CLI::App& command, config::Role role);

[[nodiscard]] base::Result<config::Settings> load_settings(const Context& context,
                                                           const Flags& flags);

}  // namespace idlewatt::cli
