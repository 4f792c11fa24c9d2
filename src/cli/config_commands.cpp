// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/config_commands.hpp"

#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/columns.hpp"
#include "config/document.hpp"

namespace idlewatt::cli {

namespace {

using Json = nlohmann::ordered_json;

Json value_of(const config::Setting& setting, const config::Settings& settings) {
    switch (setting.type) {
        case config::Type::integer:
            return settings.integer(setting.key);
        case config::Type::boolean:
            return settings.boolean(setting.key);
        case config::Type::list:
            return settings.list(setting.key);
        default:
            return settings.text(setting.key);
    }
}

// A secret that stands in the environment has no path to show.
bool is_hidden(const config::Setting& setting, const config::Value& value) {
    return !setting.secret_environment.empty() && value.where == setting.secret_environment;
}

}  // namespace

ExitCode config_show(const config::Settings& settings, bool origin, const Output& output) {
    Json object = Json::object();
    std::vector<std::vector<std::string>> lines;
    for (const config::Setting& setting : config::schema()) {
        const config::Value& value = settings.value(setting.key);
        const bool hidden = is_hidden(setting, value);
        Json entry = {{"value", hidden ? Json(nullptr) : value_of(setting, settings)},
                      {"origin", config::name(value.origin)}};
        if (!value.where.empty())
            entry["where"] = value.where;
        object[std::string(setting.key)] = std::move(entry);
        std::vector<std::string> line{std::string(setting.key) + " = " +
                                      (hidden ? "(set)" : value_of(setting, settings).dump())};
        if (origin) {
            line.push_back("# " + std::string(config::name(value.origin)) +
                           (value.where.empty() ? "" : ": " + value.where));
        }
        lines.push_back(std::move(line));
    }
    if (output.json)
        output.out << object.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    else
        print_columns(lines, output.out);
    return ExitCode::ok;
}

ExitCode config_validate(const std::string& path, const Output& output) {
    config::Settings settings;
    const auto read = settings.read_file({config::Origin::project, path, true});
    if (!read) {
        report_error(read.error(), output.json, output.err);
        return ExitCode::failure;
    }
    output.err << path << ": ok\n";
    return ExitCode::ok;
}

void add_config_commands(CLI::App& app, Context& context) {
    struct Given {
        bool origin = false;
        bool json = false;
        std::string path;
    };
    const auto given = std::make_shared<Given>();
    CLI::App* config = app.add_subcommand(
        "config",
        "The settings of this machine\n\nExamples:\n  idlewatt config show --origin\n"
        "  idlewatt config validate /etc/idlewatt/idlewatt.toml\n"
        "  idlewatt config example > idlewatt.toml");
    config->require_subcommand(1);
    CLI::App* show = config->add_subcommand("show", "Print all settings as they are in force");
    show->add_flag("--origin", given->origin, "With the place that each comes from");
    show->add_flag("--json", given->json, "As JSON, on stdout");
    show->callback([given, &context] {
        const Output output{std::cout, std::cerr, given->json};
        const auto settings = load_settings(context, {});
        context.ends_with(settings ? config_show(*settings, given->origin, output)
                                   : report_error(settings.error(), given->json, std::cerr));
    });
    CLI::App* validate = config->add_subcommand("validate", "Check a file of settings");
    validate->add_option("FILE", given->path, "TOML file")->required();
    validate->add_flag("--json", given->json, "Errors as JSON, on stderr");
    validate->callback([given, &context] {
        context.ends_with(config_validate(given->path, {std::cout, std::cerr, given->json}));
    });
    CLI::App* example =
        config->add_subcommand("example", "Print a file with every setting and its default");
    example->callback([] { std::cout << config::example_file(); });
}

}  // namespace idlewatt::cli
