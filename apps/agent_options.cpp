// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent_options.hpp"

#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>

#include <CLI/CLI.hpp>

#include "config/config.hpp"
#include "core/core.hpp"

namespace idlewatt {

namespace {

struct Flags {
    std::map<std::string, std::string> texts;  // of the schema, by key
    std::map<std::string, bool> switches;
    std::string config_file;
    CarOptions others;
};

// Every setting of the agent that has a flag; `enrol` takes them too, so that one file serves both.
void add_settings(CLI::App& app, Flags& flags) {
    for (const config::Setting& setting : config::schema()) {
        if (!setting.is_for(config::Role::agent) || setting.flag.empty())
            continue;
        const std::string key(setting.key);
        const std::string flag(setting.flag);
        const std::string help(setting.help);
        if (setting.type == config::Type::boolean)
            app.add_flag(flag, flags.switches[key], help);
        else
            app.add_option(flag, flags.texts[key], help);
    }
    app.add_option("--config", flags.config_file, "TOML file with settings");
}

void add_others(CLI::App& app, CarOptions& options) {
    app.add_option("--vehicle", options.vehicle,
                   "Id of this car, [a-z0-9_-], where it does not enrol");
    app.add_option("--nats", options.nats_urls, "nats://HOST:PORT, where it does not enrol")
        ->delimiter(',');
    app.add_option("--credentials", options.credentials_file,
                   "NATS credentials file, where it does not enrol")
        ->check(CLI::ExistingFile);
    app.add_option("--model-name", options.model_name, "Name under which --model is announced");
    app.add_option("--tap", options.tap_path, "Append all bytes of the engine's streams here");
    app.add_option("--vehicle-index", options.vehicle_index, "Place of this car in the script");
    app.add_option("--vehicle-count", options.vehicle_count, "How many cars the script is for");
    app.add_option("--speed", options.speed, "Played seconds of the script in a real second");
    app.add_option("--story-start", options.story_start_us, "When the script began, µs of Unix");
}

base::Result<config::Settings> load_settings(const CLI::App& app, const Flags& flags) {
    config::Sources sources;
    sources.environment = [](std::string_view name) -> std::optional<std::string> {
        const char* value = std::getenv(std::string(name).c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
    sources.named_file = flags.config_file;
    for (const config::Setting& setting : config::schema()) {
        if (!setting.is_for(config::Role::agent) || setting.flag.empty() ||
            app.count(std::string(setting.flag)) == 0) {
            continue;
        }
        const std::string key(setting.key);
        // "--token-file -" is read from stdin, by take_token().
        if (key == "agent.enrolment_token_file" && flags.texts.at(key) == "-")
            continue;
        sources.flags[key] = setting.type == config::Type::boolean ? "true" : flags.texts.at(key);
    }
    return config::load(sources);
}

base::Result<std::optional<std::string>> take_token(const config::Settings& settings,
                                                    const Flags& flags) {
    const std::string key = "agent.enrolment_token_file";
    const auto flag = flags.texts.find(key);
    if (flag == flags.texts.end() || flag->second != "-")
        return settings.secret(key);
    std::string token{std::istreambuf_iterator<char>(std::cin), {}};
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r'))
        token.pop_back();
    return token;
}

base::Result<CarOptions> collect(const config::Settings& settings, const Flags& flags) {
    CarOptions options = flags.others;
    options.state_dir = settings.text("agent.state_dir");
    options.script_path = settings.text("agent.signals_script");
    options.slots = static_cast<std::uint32_t>(settings.integer("agent.slots"));
    options.context_tokens_per_slot =
        static_cast<std::uint32_t>(settings.integer("agent.context_tokens"));
    options.verbose = settings.boolean("log.verbose");
    options.coordinator_url = settings.text("agent.coordinator_url");
    options.ca_file = settings.text("agent.ca_file");
    options.insecure = settings.boolean("agent.insecure");
    options.model_path = settings.text("agent.model_file");
    options.cache_dir = settings.text("agent.cache_dir");
    options.cache_bytes = static_cast<std::uint64_t>(settings.integer("agent.cache_mib")) << 20U;
    if (settings.value("cell.name").origin != config::Origin::fallback)
        options.cell = settings.text("cell.name");
    if (options.cache_dir.empty())
        options.cache_dir = options.state_dir + "/models";
    if (options.model_name.empty() && !options.model_path.empty())
        options.model_name = "model";
    while (options.coordinator_url.ends_with('/'))
        options.coordinator_url.pop_back();
    if (!options.vehicle.empty() && !core::is_id(options.vehicle)) {
        return base::fail(base::ErrorKind::bad_input,
                          "--vehicle takes 1 to 64 characters of [a-z0-9_-]");
    }
    auto token = take_token(settings, flags);
    if (!token)
        return tl::unexpected(token.error());
    options.enrolment_token = std::move(*token);
    return options;
}

}  // namespace

int fail_agent(const base::Error& error) {
    std::cerr << "idlewatt-agent: " << error.message << '\n';
    return error.kind == base::ErrorKind::bad_input ? exit_usage : exit_failure;
}

ParsedOptions parse_agent_options(int argc, char** argv) {
    Flags run_flags;
    Flags enrol_flags;
    CLI::App app("The Idlewatt agent: lets a parked car answer AI requests when its owner allows.",
                 "idlewatt-agent");
    app.set_version_flag("--version", IDLEWATT_VERSION);
    add_settings(app, run_flags);
    add_others(app, run_flags.others);
    CLI::App* enrol = app.add_subcommand(
        "enrol", "Become a car of a cell with a one-time token (a file, or - for stdin)");
    add_settings(*enrol, enrol_flags);
    for (const auto& [command, flags] : {std::pair{&app, &run_flags}, {enrol, &enrol_flags}})
        command->add_option("--name", flags->others.name, "Name of this car when it enrols");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return {std::nullopt, app.exit(error) == 0 ? 0 : exit_usage};
    }
    const bool enrols = enrol->parsed();
    const Flags& flags = enrols ? enrol_flags : run_flags;
    const auto settings = load_settings(enrols ? *enrol : app, flags);
    if (!settings)
        return {std::nullopt, fail_agent(settings.error())};
    auto options = collect(*settings, flags);
    if (!options)
        return {std::nullopt, fail_agent(options.error())};
    options->enrol = enrols;
    return {std::move(*options), 0};
}

}  // namespace idlewatt
