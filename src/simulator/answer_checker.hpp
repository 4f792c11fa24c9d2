// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Judges what one client got against the right answer, which it computes itself: the text of each
// choice is always a beginning of it, nothing twice, nothing left out; an answer counts as whole
// only with the last token of each choice; what is not whole ends in an explicit error or a broken
// connection. Independent of the gateway's code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/stream.hpp"
#include "simulator/choice_checker.hpp"
#include "simulator/event_reader.hpp"

namespace idlewatt::simulator {

enum class AnswerEnd {
    open,     // still going on
    whole,    // finish_reason and, when streamed, [DONE]
    error,    // an error event in the stream
    refused,  // an error status
    broken,   // the connection broke
    hung_up,  // the client left
};
[[nodiscard]] std::string_view name(AnswerEnd end);

class AnswerChecker {
public:
    AnswerChecker(const std::string& request_json, bool streamed,
                  core::Task task = core::Task::chat);

    void head(int status, bool has_retry_after);
    void body(std::string_view bytes);
    // The response is over; complete as HTTP sees it.
    void end(bool complete);
    void hang_up();

    [[nodiscard]] AnswerEnd ended() const { return ended_; }
    [[nodiscard]] bool streamed() const { return streamed_; }
    [[nodiscard]] bool begun() const { return status_ != 0; }
    // From the answer's id; empty until one came.
    [[nodiscard]] const std::string& work() const { return work_; }
    // Of all choices: tokens whose text the client has, and the silent end tokens.
    [[nodiscard]] std::uint32_t tokens_received() const;
    // As usage should state it.
    [[nodiscard]] std::uint32_t tokens_right() const;
    [[nodiscard]] const std::string& error_code() const { return error_code_; }
    // What was wrong, one sentence each; empty: all well.
    [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }

private:
    void take_event(const EventReader::Event& event);
    void take_chunk(const nlohmann::json& chunk);
    void take_whole(const nlohmann::json& answer);
    void take_choice(const nlohmann::json& choice);
    void take_vectors(const nlohmann::json& list);
    void take_usage(const nlohmann::json& usage);
    void take_error(const nlohmann::json& error);
    void take_id(const nlohmann::json& object);
    void complain(std::string what);

    [[nodiscard]] bool all_finished() const;

    bool streamed_;
    core::Task task_;
    std::uint32_t choices_per_prompt_ = 1;
    std::vector<ChoiceChecker> choices_;
    std::vector<std::string> vectors_;  // the right ones, of an embedding
    std::uint32_t prompt_tokens_ = 0;   // as usage should state it

    EventReader reader_;
    int status_ = 0;
    bool retry_after_ = false;
    std::string whole_body_;
    std::string work_;
    std::vector<bool> roles_seen_;
    bool usage_seen_ = false;
    bool done_ = false;
    std::string error_code_;
    AnswerEnd ended_ = AnswerEnd::open;
    std::vector<std::string> violations_;
};

}  // namespace idlewatt::simulator
