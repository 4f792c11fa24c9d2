// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/context.hpp"

#include <CLI/CLI.hpp>

#include "cli/connection.hpp"

namespace idlewatt::cli {

std::shared_ptr<Flags> add_setting_flags(CLI::App& command, config::Role role) {
    auto flags = std::make_shared<Flags>();
    for (const config::Setting& setting : config::schema()) {
        if (!setting.is_for(role))
            continue;
        std::string about = std::string(setting.help) + " [" + std::string(setting.environment) +
                            (setting.fallback.empty() ? "" : ", default ") +
                            std::string(setting.fallback) + "]";
        const auto keep = [flags, key = std::string(setting.key)](const std::string& text) {
            (*flags)[key] = text;
        };
        if (setting.type == config::Type::boolean) {
            command.add_flag_callback(
                std::string(setting.flag), [keep] { keep("true"); }, about);
            continue;
        }
        command.add_option_function<std::string>(std::string(setting.flag), keep, about)
            ->type_name(setting.type == config::Type::integer ? "N"
                        : setting.type == config::Type::list  ? "A,B…"
                        : setting.type == config::Type::text  ? "TEXT"
                                                              : "PATH");
    }
    return flags;
}

base::Result<config::Settings> load_settings(const Context& context, const Flags& flags) {
    config::Sources sources;
    sources.environment = process_environment();
    sources.named_file = context.config_file;
    sources.flags = flags;
    return config::load(sources);
}

}  // namespace idlewatt::cli
