// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/version_command.hpp"

#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace idlewatt::cli {

namespace {

// Of /api/v1 and the texts of --json; grows when one of them changes incompatibly.
constexpr int api_version = 1;

}  // namespace

ExitCode print_version(const std::string& version, bool json, std::ostream& out) {
    if (json) {
        const nlohmann::ordered_json object = {
            {"version", version}, {"compiler", __VERSION__}, {"api_version", api_version}};
        out << object.dump() << '\n';
    } else {
        out << "idlewatt " << version << '\n';
    }
    return ExitCode::ok;
}

void add_version_command(CLI::App& app, Context& context) {
    const auto json = std::make_shared<bool>(false);
    CLI::App* command = app.add_subcommand("version", "Print the version of the program");
    command->add_flag("--json", *json, "As a JSON object");
    command->callback(
        [json, &context] { context.ends_with(print_version(context.version, *json, std::cout)); });
}

}  // namespace idlewatt::cli
