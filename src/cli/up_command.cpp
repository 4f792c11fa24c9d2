// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/up_command.hpp"

#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include "base/log.hpp"
#include "cli/connection.hpp"
#include "cli/programs.hpp"
#include "cli/up.hpp"

namespace idlewatt::cli {

void add_up_command(CLI::App& app, Context& context) {
    const auto options = std::make_shared<UpOptions>();
    CLI::App* up = app.add_subcommand(
        "up",
        "Run a fleet to work with on this machine\n\nExamples:\n  idlewatt up\n"
        "  idlewatt up --vehicles 4 --model model.gguf\n  idlewatt up --state DIR --port 9000\n\n"
        "Cars, ports and context that are not said are those of the last run in the folder.");
    const auto flags = add_setting_flags(*up, config::Role::up);
    CLI::Option* model =
        up->add_option("--model", options->model_path,
                       "GGUF file to add to the cell; otherwise what it has, or Valet")
            ->check(CLI::ExistingFile)
            ->type_name("FILE");
    up->add_flag("--random-model", options->random_model,
                 "In a cell that has none: a model with random weights, not Valet")
        ->excludes(model);
    up->add_option("--script", options->script_path,
                   "Signals of the cars, in TOML; otherwise they are parked and willing")
        ->check(CLI::ExistingFile)
        ->type_name("FILE");
    up->add_flag("--json", options->json,
                 "Say as one JSON object on stdout where everything is, when it is ready");
    up->callback([flags, options, &context] {
        const auto settings = load_settings(context, *flags);
        if (!settings) {
            context.ends_with(report_error(settings.error(), options->json, std::cerr));
            return;
        }
        options->state_dir = up_state_dir(*settings);
        options->vehicles = static_cast<std::uint32_t>(settings->integer("up.vehicles"));
        options->port = static_cast<int>(settings->integer("up.port"));
        options->coordinator_port = static_cast<int>(settings->integer("up.coordinator_port"));
        const auto given = [&](const char* key) {
            return settings->value(key).origin != config::Origin::fallback;
        };
        options->context_tokens =
            static_cast<std::uint32_t>(settings->integer("up.context_tokens"));
        options->vehicles_given = given("up.vehicles");
        options->context_given = given("up.context_tokens");
        options->port_given = given("up.port");
        options->coordinator_port_given = given("up.coordinator_port");
        options->verbose = settings->boolean("log.verbose");
        base::set_up_log("up", options->verbose ? base::LogLevel::info : base::LogLevel::warning);
        context.ends_with(Up(*options).run());
    });
}

}  // namespace idlewatt::cli
