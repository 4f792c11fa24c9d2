// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt doctor: what of this machine keeps the program from working, each with its remedy.
// Changes nothing. Blocking, some seconds at most.
#pragma once

#include <string>
#include <vector>

#include "cli/admin_call.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

struct Finding {
    enum class Status {
        ok,
        notice,  // works, but less well, or only some roles need it
        broken,
    };
    std::string name;  // "engine_bundle"
    Status status = Status::ok;
    std::string what;
    std::string remedy;  // empty when ok
};
[[nodiscard]] std::string_view name(Finding::Status status);

// Programs, sandbox, disk, clock, limits.
[[nodiscard]] std::vector<Finding> examine_machine(const config::Settings& settings);
// Ports and servers, as the settings name them.
[[nodiscard]] std::vector<Finding> examine_servers(const config::Settings& settings);
// Secrets that others can read, certificates that end.
[[nodiscard]] std::vector<Finding> examine_files(const config::Settings& settings);

ExitCode report_findings(const std::vector<Finding>& findings, const Output& output);

void add_doctor_command(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
