// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt run MODEL [PROMPT]: asks a model and shows the answer while it comes. Without a prompt
// it reads one from stdin, and on a terminal it goes on as a conversation.
#pragma once

#include <iosfwd>
#include <string>

#include "cli/chat_session.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

inline constexpr std::size_t prompt_bytes_max = 8 * 1024 * 1024;
// How a shell sees a program that Ctrl-C has ended.
inline constexpr int interrupted_exit_code = 130;

// One question.
int run_once(ChatSession& session, const std::string& prompt);
// Until the end of in or /bye.
int run_conversation(ChatSession& session, std::istream& in, const Output& output);

void add_run_command(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
