// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/version_command.hpp"

#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace idlewatt::cli {

ExitCode print_version(const std::string& version, bool json, std::ostream& out) {
    if (json) {
        const nlohmann::ordered_json object = {{"version", version}, {"compiler", __VERSION__}};
        out << object.dump() << '\n';
    } else {
        out << "idlewatt " << version << '\n';
    }
    return ExitCode::ok;
}

void add_version_command(CLI::App& app, const std::string& version, int& exit_code) {
    const auto json = std::make_shared<bool>(false);
    CLI::App* command = app.add_subcommand("version", "Print the version of the program");
    command->add_flag("--json", *json, "As a JSON object");
    command->callback([version, json, &exit_code] {
        exit_code = to_int(print_version(version, *json, std::cout));
    });
}

}  // namespace idlewatt::cli
