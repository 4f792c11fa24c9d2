// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The form of every command that asks a server: a word below another command, --json, the
// connection that the settings name, and the code to end with.
#pragma once

#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "cli/admin_call.hpp"

namespace idlewatt::cli {

inline void add_secret_file(CLI::App& command, SecretFile& out, const std::string& what) {
    command
        .add_option("--out", out.path,
                    "Write the " + what + " to this file (mode 0600) instead of stdout")
        ->type_name("FILE");
    command.add_flag("--force", out.force, "Overwrite that file if it is there");
}

// Given: what was said on the command line; has a member `bool json`. The commands of one group
// share it, since only one of them runs.
template <class Given>
class AskingCommands {
public:
    using Run = std::function<ExitCode(const Connection&, Given&, const Output&)>;

    // The parent and the context outlive the parse.
    AskingCommands(CLI::App& parent, Context& context, std::shared_ptr<Given> given)
        : parent_(parent), context_(context), given_(std::move(given)) {}

    CLI::App* add(Party party, const char* name, const char* about, Run run) {
        CLI::App* sub = parent_.add_subcommand(name, about);
        sub->add_flag("--json", given_->json, "As JSON, on stdout");
        sub->callback([given = given_, party, run = std::move(run), &context = context_] {
            const Output output{std::cout, std::cerr, given->json};
            const auto to = connection_of(context, party, output);
            context.ends_with(to ? run(*to, *given, output) : to.error());
        });
        return sub;
    }

private:
    CLI::App& parent_;
    Context& context_;
    std::shared_ptr<Given> given_;
};

}  // namespace idlewatt::cli
