// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/manual_command.hpp"

#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/completion_command.hpp"
#include "cli/connection.hpp"
#include "cli/files.hpp"
#include "cli/usage.hpp"
#include "config/document.hpp"

namespace idlewatt::cli {

namespace {

using config::roff;

std::string synopsis_of(const CLI::App& app) {
    std::string out;
    for (const CLI::Option* option : app.get_options()) {
        if (!option->get_positional())
            continue;
        const std::string name = option->get_name(true);
        out += option->get_required() ? " " + name : " [" + name + "]";
    }
    return out;
}

void add_command(const CLI::App& app, const std::string& path, std::string& out) {
    if (app.get_subcommands({}).empty()) {
        out += ".SS " + roff("idlewatt " + path + synopsis_of(app)) + '\n' +
               roff(summary_of(app.get_description())) + ".\n";
    } else {
        out += ".SH " + roff("\"COMMAND " + path + "\"") + '\n' +
               roff(summary_of(app.get_description())) + ".\n";
    }
    if (const std::string examples = examples_of(app.get_description()); !examples.empty())
        out += ".PP\n.nf\n" + roff(examples) + "\n.fi\n";
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_lnames().empty() || option->check_lname("help"))
            continue;
        const std::string type =
            option->get_items_expected_max() > 0 ? " " + option->get_type_name() : "";
        out += ".TP\n.B " + roff("--" + option->get_lnames().front() + type) + '\n' +
               roff(option->get_description()) + '\n';
    }
    for (const CLI::App* child : app.get_subcommands({})) {
        if (!child->get_group().empty())
            add_command(*child, path + " " + child->get_name(), out);
    }
}

constexpr std::string_view manual_tail = R"(.SH ENVIRONMENT
.TP
.B IDLEWATT_URL
Where the gateway is; http://127.0.0.1:8080 unless set.
.TP
.B IDLEWATT_COORDINATOR_URL
Where the coordinator is; http://127.0.0.1:8081 unless set.
.TP
.B IDLEWATT_API_KEY
The key for both; IDLEWATT_API_KEY_FILE names a file that holds it.
.TP
.B IDLEWATT_CONFIG
A file of settings, as with \-\-config.
.TP
.B NO_COLOR
No colours.
.PP
All settings may stand in the environment; see
.BR idlewatt.toml (5).
.SH "EXIT STATUS"
0 ok, 1 failure, 2 usage, 3 not found, 4 the key is missing or wrong, 5 no capacity, 6 partly done,
130 ended by Ctrl\-C.
.SH "SEE ALSO"
.BR idlewatt\-agent (8),
.BR idlewatt.toml (5)
)";

}  // namespace

std::string program_manual(const CLI::App& app, const std::string& version) {
    std::string out = ".TH IDLEWATT 1 \"\" \"idlewatt " + roff(version) + "\" Idlewatt\n";
    out +=
        ".SH NAME\nidlewatt \\- AI inference on parked electric cars\n.SH SYNOPSIS\n.B idlewatt\n"
        "[\\-\\-config FILE] COMMAND ...\n.SH DESCRIPTION\n" +
        roff(examples_of(app.get_description())) +
        "\n.PP\nData goes to stdout, all else to "
        "stderr; commands that read take \\-\\-json.\n.SH COMMANDS\n";
    for (const CLI::App* child : app.get_subcommands({})) {
        if (!child->get_group().empty())
            add_command(*child, child->get_name(), out);
    }
    return out + std::string(manual_tail);
}

base::Result<void> write_documents(const CLI::App& app, const std::string& version,
                                   const std::string& folder) {
    for (const char* part : {"man1", "man5", "completions"}) {
        auto made = make_folder(folder + "/" + part);
        if (!made)
            return made;
    }
    const std::vector<std::pair<const char*, std::string>> files{
        {"man1/idlewatt.1", program_manual(app, version)},
        {"man5/idlewatt.toml.5", config::manual_page(version)},
        {"completions/idlewatt", bash_completion(app)},
        {"completions/_idlewatt", zsh_completion(app)},
        {"completions/idlewatt.fish", fish_completion(app)},
        {"idlewatt.toml", config::example_file()}};
    for (const auto& [name, text] : files) {
        auto written = write_file(folder + "/" + name, text);
        if (!written)
            return written;
    }
    return {};
}

void add_manual_command(CLI::App& app, Context& context) {
    const auto folder = std::make_shared<std::string>();
    CLI::App* command =
        app.add_subcommand("write-documents", "Write man pages, completions and the example file");
    command->group("");  // for packages, not for people
    command->add_option("FOLDER", *folder, "Where to")->required();
    command->callback([&app, &context, folder] {
        const auto written = write_documents(app, context.version, *folder);
        if (!written)
            context.ends_with(report_error(written.error(), false, std::cerr));
    });
}

}  // namespace idlewatt::cli
