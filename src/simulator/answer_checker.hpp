// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Judges what one client got against the right answer, which it computes itself: the text is always
// a beginning of it, nothing twice, nothing left out; an answer counts as whole only with its last
// token; what is not whole ends in an explicit error or a broken connection. Independent of the
// gateway's code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "engine/memory_answer.hpp"
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
    AnswerChecker(std::string request_json, bool streamed);

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
    // Of the right answer: tokens whose text the client has, and the silent end token.
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
    void take_text(std::string_view text);
    void take_finish(const std::string& reason);
    void take_usage(const nlohmann::json& usage);
    void take_error(const nlohmann::json& error);
    void take_id(const nlohmann::json& object);
    void complain(std::string what);

    std::uint64_t request_bytes_;
    bool streamed_;
    engine::MemoryAnswer answer_;
    std::string right_;

    EventReader reader_;
    int status_ = 0;
    bool retry_after_ = false;
    std::string whole_body_;
    std::string work_;
    std::size_t received_bytes_ = 0;  // of the right text
    bool strayed_ = false;
    bool role_seen_ = false;
    bool finished_ = false;
    bool usage_seen_ = false;
    bool done_ = false;
    std::string error_code_;
    AnswerEnd ended_ = AnswerEnd::open;
    std::vector<std::string> violations_;
};

}  // namespace idlewatt::simulator
