// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/demo_command.hpp"

#include <memory>

#include <CLI/CLI.hpp>

#include "base/log.hpp"
#include "cli/demo.hpp"

namespace idlewatt::cli {

void add_demo_command(CLI::App& app, Context& context) {
    const auto options = std::make_shared<DemoOptions>();
    CLI::App* demo = app.add_subcommand(
        "demo",
        "Run a whole fleet on this machine: parked cars, a scripted day, clients\n\nExamples:\n"
        "  idlewatt demo\n  idlewatt demo --vehicles 8 --seconds 30 --json\n"
        "  idlewatt demo --model model.gguf --keep --state DIR");
    demo->add_option("--scenario", options->scenario_path, "Story of the cars' signals, in TOML")
        ->check(CLI::ExistingFile);
    demo->add_option("--vehicles", options->vehicles, "Number of cars")
        ->capture_default_str()
        ->check(CLI::Range(1U, demo_vehicles_max));
    demo->add_option("--seconds", options->seconds, "How long the story takes in real time")
        ->check(CLI::Range(1.0, 86'400.0));
    demo->add_option_function<std::string>(
            "--traffic", [options](const std::string& word) { options->traffic = word == "on"; },
            "Clients that ask questions: on (default) or off")
        ->check(CLI::IsMember({"on", "off"}));
    CLI::Option* model =
        demo->add_option("--model", options->model_path,
                         "GGUF file; otherwise Valet, which answers questions about parked cars")
            ->check(CLI::ExistingFile);
    demo->add_flag("--random-model", options->random_model,
                   "A model with random weights: long answers, readable nonsense")
        ->excludes(model);
    demo->add_flag("--check-answers", options->check_answers,
                   "Ask what Valet was taught and check the answers, whatever the model");
    CLI::Option* port = demo->add_option("--port", options->port, "Port of the API; 0: any free")
                            ->capture_default_str()
                            ->check(CLI::Range(0, 65'535));
    demo->add_option("--api-key", options->api_key, "Key that clients send; otherwise one is made");
    demo->add_option("--state", options->state_dir, "Folder to keep state and logs in");
    demo->add_flag("--keep", options->keep, "Run until SIGINT or SIGTERM");
    demo->add_flag("--json", options->json, "End with one JSON object on stdout");
    demo->add_flag("--verbose", options->verbose, "Log what happens, not only what goes wrong");
    demo->callback([options, port, &context] {
        options->port_given = port->count() > 0;
        base::set_up_log("demo", options->verbose ? base::LogLevel::info : base::LogLevel::warning);
        context.ends_with(Demo(*options).run());
    });
}

}  // namespace idlewatt::cli
