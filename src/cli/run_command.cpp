// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/run_command.hpp"

#include <iostream>
#include <iterator>
#include <memory>

#include <unistd.h>

#include <CLI/CLI.hpp>

namespace idlewatt::cli {

namespace {

constexpr std::string_view help_text =
    "/?, /help      this\n"
    "/clear         forget the conversation\n"
    "/bye           leave (so does Ctrl-D)\n"
    "\"\"\"            begin and end a question of several lines\n"
    "Ctrl-C         stop the answer\n";

// A question of several lines stands between two """.
bool read_question(std::istream& in, const Output& output, std::string& question) {
    question.clear();
    output.err << ">>> " << std::flush;
    std::string line;
    if (!std::getline(in, line))
        return false;
    if (!line.starts_with("\"\"\"")) {
        question = line;
        return true;
    }
    line.erase(0, 3);
    while (true) {
        const std::size_t end = line.find("\"\"\"");
        question += line.substr(0, end);
        if (end != std::string::npos || question.size() > prompt_bytes_max)
            return true;
        question += '\n';
        output.err << "... " << std::flush;
        if (!std::getline(in, line))
            return true;
    }
}

bool is_blank(const std::string& text) {
    return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

}  // namespace

int run_once(ChatSession& session, const std::string& prompt) {
    const ChatEnd end = session.ask(prompt);
    return end.interrupted ? interrupted_exit_code : to_int(end.code);
}

int run_conversation(ChatSession& session, std::istream& in, const Output& output) {
    output.err << "/? for help, /bye to leave\n";
    std::string question;
    while (read_question(in, output, question)) {
        if (question == "/bye" || question == "/exit")
            return to_int(ExitCode::ok);
        if (question == "/?" || question == "/help") {
            output.err << help_text;
        } else if (question == "/clear") {
            session.forget();
        } else if (question.starts_with('/')) {
            output.err << "there is no command '" << question << "'\n" << help_text;
        } else if (!is_blank(question)) {
            const ChatEnd end = session.ask(question);
            if (end.interrupted)
                output.err << "\n(stopped)\n";
            if (end.code == ExitCode::denied || end.code == ExitCode::not_found)
                return to_int(end.code);
        }
    }
    output.err << '\n';
    return to_int(ExitCode::ok);
}

void add_run_command(CLI::App& app, Context& context) {
    struct Given {
        ChatOptions chat;
        std::string prompt;
        bool hides_reasoning = false;
    };
    const auto given = std::make_shared<Given>();
    CLI::App* run = app.add_subcommand("run",
                                       "Ask a model; without a prompt, talk to it\n\nExamples:\n"
                                       "  idlewatt run valet 'How much is 17 + 25?'\n"
                                       "  idlewatt run valet --verbose < question.txt\n"
                                       "  idlewatt run valet");
    run->add_option("MODEL", given->chat.model, "Name of the model, as `model ls` shows it")
        ->required();
    run->add_option("PROMPT", given->prompt, "The question; otherwise it is read from stdin");
    run->add_option("--system", given->chat.system, "What the model is told first")
        ->type_name("TEXT");
    run->add_option("--max-tokens", given->chat.max_tokens, "Length of the answer at most")
        ->type_name("N");
    run->add_option("--temperature", given->chat.temperature, "0: always the same")->type_name("X");
    run->add_flag("--hide-reasoning", given->hides_reasoning,
                  "Do not show what a reasoning model thinks");
    run->add_flag("--verbose", given->chat.verbose, "End with tokens and tokens/s, on stderr");
    run->callback([given, &context] {
        const Output output{std::cout, std::cerr};
        const auto to = connection_of(context, Party::gateway, output);
        if (!to) {
            context.ends_with(to.error());
            return;
        }
        const bool talks = isatty(STDIN_FILENO) == 1;
        given->chat.shows_reasoning = isatty(STDERR_FILENO) == 1 && !given->hides_reasoning;
        ChatSession session(*to, given->chat, output);
        if (given->prompt.empty() && talks) {
            context.exit_code = run_conversation(session, std::cin, output);
            return;
        }
        std::string prompt = given->prompt;
        if (prompt.empty()) {
            prompt.assign(std::istreambuf_iterator<char>(std::cin), {});
            while (prompt.ends_with('\n'))
                prompt.pop_back();
        }
        if (is_blank(prompt) || prompt.size() > prompt_bytes_max) {
            context.ends_with(report_error(
                {base::ErrorKind::bad_input,
                 is_blank(prompt)
                     ? "there is no prompt; give one after the model's name or on stdin"
                     : "the prompt has more than 8 MiB"},
                false, std::cerr));
            return;
        }
        context.exit_code = run_once(session, prompt);
    });
}

}  // namespace idlewatt::cli
