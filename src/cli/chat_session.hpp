// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A conversation of a person with a model: asks through the OpenAI API, writes the answer while it
// comes and remembers it for the next question. Blocking; for commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "cli/admin_call.hpp"

namespace idlewatt::cli {

// Of one answer, in all; beyond it the answer is broken off.
inline constexpr std::size_t chat_answer_bytes_max = 16 * 1024 * 1024;
// Without a byte (keep-alive comments count) the gateway is given up.
inline constexpr base::Duration chat_silence_max = base::seconds(90);

struct ChatOptions {
    std::string model;
    std::string system;  // empty: none
    std::optional<std::uint32_t> max_tokens;
    std::optional<double> temperature;
    bool verbose = false;          // say on err how quick it was
    bool shows_reasoning = false;  // what a reasoning model thinks, on err
};

struct ChatEnd {
    ExitCode code = ExitCode::ok;
    bool interrupted = false;  // by SIGINT
    std::string finish_reason;
};

// Takes the events out of a text/event-stream, from bytes cut anywhere.
class EventLines {
public:
    // The data of the events that these bytes complete; comments are left out.
    [[nodiscard]] std::vector<std::string> feed(std::string_view bytes);

private:
    std::string line_;
    std::string data_;
};

class ChatSession {
public:
    ChatSession(Connection connection, ChatOptions options, const Output& output);

    // While it runs SIGINT ends the answer, not the program. What came of it is remembered.
    ChatEnd ask(const std::string& prompt);
    void forget();

private:
    struct Message {
        std::string role;
        std::string content;
    };
    struct Answer;
    [[nodiscard]] std::string request_body() const;
    void take_event(const std::string& data, Answer& answer);
    [[nodiscard]] ChatEnd conclude(const Answer& answer);
    void say_how_quick(const Answer& answer) const;

    Connection connection_;
    ChatOptions options_;
    Output output_;
    std::vector<Message> messages_;
};

}  // namespace idlewatt::cli
