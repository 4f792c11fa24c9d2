// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The program for people and servers. A table of contents: one line per group of commands.
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/batch_commands.hpp"
#include "cli/cell_commands.hpp"
#include "cli/completion_command.hpp"
#include "cli/config_commands.hpp"
#include "cli/context.hpp"
#include "cli/demo_command.hpp"
#include "cli/doctor.hpp"
#include "cli/key_commands.hpp"
#include "cli/manual_command.hpp"
#include "cli/model_commands.hpp"
#include "cli/role_commands.hpp"
#include "cli/run_command.hpp"
#include "cli/up_command.hpp"
#include "cli/usage.hpp"
#include "cli/vehicle_commands.hpp"
#include "cli/version_command.hpp"

int main(int argc, char** argv) {
    using namespace idlewatt::cli;
    const std::vector<std::string> words = words_meant({argv + 1, argv + argc});
    if (const auto for_agent = words_for_agent(words))
        return become_agent(*for_agent);
    CLI::App app(
        "AI inference on parked electric cars\n\nExamples:\n"
        "  idlewatt demo                      a fleet with a scripted day, on this machine\n"
        "  idlewatt up                        a fleet to work with, on this machine\n"
        "  idlewatt run MODEL 'A question'    ask it",
        "idlewatt");
    Context context;
    context.version = IDLEWATT_VERSION;
    set_up_help(app);
    app.require_subcommand(1);
    app.fallthrough();
    app.set_version_flag("--version", "idlewatt " IDLEWATT_VERSION, "Print the version");
    app.add_option("--config", context.config_file, "File of settings; see idlewatt.toml(5)")
        ->type_name("FILE");
    app.footer(
        "Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 wrong key, 5 no capacity, 6 "
        "partial.");
    add_demo_command(app, context);
    add_up_command(app, context);
    add_run_command(app, context);
    add_vehicle_commands(app, context);
    add_model_commands(app, context);
    add_key_commands(app, context);
    add_batch_commands(app, context);
    add_cell_commands(app, context);
    add_gateway_command(app, context);
    add_coordinator_command(app, context);
    add_agent_command(app, context);
    add_config_commands(app, context);
    add_doctor_command(app, context);
    add_completion_command(app);
    add_manual_command(app, context);
    add_version_command(app, context);
    try {
        app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // the last comes first
    } catch (const CLI::ParseError& error) {
        return report_parse(app, error, words, std::cout, std::cerr);
    }
    return context.exit_code;
}
