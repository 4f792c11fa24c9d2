// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The program for people and servers. A table of contents: one line per group of commands.
#include <CLI/CLI.hpp>

#include "cli/demo_command.hpp"
#include "cli/exit_code.hpp"
#include "cli/model_commands.hpp"
#include "cli/role_commands.hpp"
#include "cli/vehicle_commands.hpp"
#include "cli/version_command.hpp"

int main(int argc, char** argv) {
    using namespace idlewatt::cli;
    CLI::App app(
        "Idlewatt: AI inference on parked electric cars.\n"
        "Try 'idlewatt demo'. Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 auth, "
        "5 no capacity, 6 partial.");
    app.require_subcommand(1);
    int exit_code = to_int(ExitCode::ok);
    add_demo_command(app, exit_code);
    add_vehicle_commands(app, exit_code);
    add_model_commands(app, exit_code);
    add_role_commands(app, exit_code);
    add_version_command(app, IDLEWATT_VERSION, exit_code);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? to_int(ExitCode::ok) : to_int(ExitCode::usage);
    }
    return exit_code;
}
