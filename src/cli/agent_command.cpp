// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// `idlewatt agent` is the small program idlewatt-agent by another name: it becomes it.
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

#include <CLI/CLI.hpp>

#include "cli/programs.hpp"
#include "cli/role_commands.hpp"

namespace idlewatt::cli {

std::optional<std::vector<std::string>> words_for_agent(const std::vector<std::string>& words) {
    if (words.size() < 2 || words[0] != "agent" || words[1] != "--")
        return std::nullopt;
    return std::vector<std::string>(words.begin() + 2, words.end());
}

int become_agent(const std::vector<std::string>& arguments) {
    const std::string program = program_folder() + "/idlewatt-agent";
    std::vector<std::string> words{program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    execv(program.c_str(), argv.data());
    std::cerr << "idlewatt: cannot start " << program << ": " << std::strerror(errno)
              << "\nIt belongs beside idlewatt (package idlewatt-agent).\n";
    return to_int(ExitCode::failure);
}

void add_agent_command(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand(
        "agent",
        "Run the agent of a car: the program idlewatt-agent, with the same flags\n\nExamples:\n"
        "  idlewatt agent --coordinator https://HOST:8081 --token-file car.token --state DIR\n"
        "  idlewatt agent -- --help");
    // All that follows is the agent's.
    command->prefix_command();
    command->fallthrough(false);
    command->callback(
        [command, &context] { context.exit_code = become_agent(command->remaining()); });
}

}  // namespace idlewatt::cli
