// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Judges one choice of an answer against the right one, which it computes itself: its text is
// always a beginning of it, its thoughts and calls are the right ones and come once, and it counts
// as finished only with all of them. Independent of the gateway's code.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "engine/memory_answer.hpp"

namespace idlewatt::simulator {

class ChoiceChecker {
public:
    // What was wrong, one sentence each, goes to complaints.
    ChoiceChecker(std::string work_json, core::Task task);

    // A delta of a streamed chat, or the message of a whole one.
    void take_message(const nlohmann::json& message, std::vector<std::string>& complaints);
    void take_text(std::string_view text, std::vector<std::string>& complaints);
    void take_finish(const std::string& reason, std::vector<std::string>& complaints);

    [[nodiscard]] bool finished() const { return finished_; }
    // Of the right answer: tokens whose text the client has, and the silent end token.
    [[nodiscard]] std::uint32_t tokens_received() const;
    // As usage should state it.
    [[nodiscard]] std::uint32_t tokens_right() const;
    // The twin's count: four bytes of the request are a token.
    [[nodiscard]] std::uint32_t prompt_tokens() const;

private:
    void take_calls(const nlohmann::json& calls, std::vector<std::string>& complaints);
    [[nodiscard]] bool calls_complete() const { return calls_ == right_calls_; }

    std::size_t work_bytes_;
    engine::MemoryAnswer answer_;
    std::string right_;
    std::string right_thoughts_;
    std::vector<core::ToolCall> right_calls_;

    std::size_t received_bytes_ = 0;  // of the right text
    std::string thoughts_;
    std::vector<core::ToolCall> calls_;
    bool strayed_ = false;
    bool finished_ = false;
};

}  // namespace idlewatt::simulator
