// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One HTTP request of a client and how far its answers are: one for each choice (n, or several
// prompts), each with attempts and a resume point of its own, all of them in one response. Plain
// data that the core works on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "core/core.hpp"
#include "gateway/attempt.hpp"
#include "gateway/fleet_view.hpp"
#include "gateway/live_view.hpp"
#include "http/http.hpp"
#include "wire/answer.hpp"
#include "wire/api_request.hpp"

namespace idlewatt::gateway {

// One choice; its index says which work of the request it answers.
struct Answer {
    core::WorkId work;
    wire::StreamedChoice streamed;     // how far it is with the client
    wire::WholeChoice whole;           // all of it, only when the client does not stream
    std::vector<std::string> vectors;  // of an embedding, by input

    // What the client has, or will have: everything from here on must continue it.
    core::ResumePoint resume;
    bool introduced = false;                         // its first event is out
    std::optional<core::AttemptId> thoughts_from{};  // whose reasoning the client has seen
    std::uint32_t reasoning_tokens = 0;
    LiveTail tail;                       // of what was said while somebody watched
    std::optional<CarNumber> spoken_by;  // the last of it

    std::uint32_t prompt_tokens = 0;  // as a car has told them; 0: not yet
    std::optional<core::Finished> finished;
    std::uint32_t completion_tokens = 0;  // meaningful once finished

    std::optional<OpenAttempt> attempt;
    std::optional<OpenAttempt> rival;  // a second one, while the first is late to speak
    std::uint32_t attempts = 0;
    std::uint32_t attempts_without_progress = 0;
    std::vector<std::pair<CarNumber, base::Instant>> avoided;  // car, until when

    base::Instant waiting_since;            // for a car; meaningful without an attempt
    base::Instant piece_at;                 // the last piece received
    std::optional<base::Instant> gap_from;  // the last piece before a migration

    [[nodiscard]] std::uint32_t index() const { return streamed.index; }
    [[nodiscard]] bool waiting() const { return !finished && !attempt; }
};

struct Exchange {
    http::RequestId request{};
    wire::ApiRequest asked;
    wire::AnswerHead head;  // with the model that answers
    CarNeeds needs;
    core::KeyId key;
    std::uint64_t tokens_reserved = 0;  // of the key's limit
    bool limited = false;               // the key's limit is to be told of its end
    std::vector<Answer> answers;        // never resized once it is placed
    std::size_t bytes_held = 0;         // of its works and whole answers

    std::uint64_t bytes_given = 0;    // to the HTTP server
    std::uint64_t bytes_written = 0;  // of these, by it to the client
    bool begun = false;               // status and headers are out
    bool done = false;                // answered, failed or abandoned; about to be forgotten
    // Of an answer that is not streamed: what is said of its attempts when the client has it.
    std::vector<core::Delivery> deliveries;

    base::Instant arrived_at;
    base::Instant progress_at;  // the last piece received, or bytes taken by the client
    base::Instant given_at;     // when the client was last given anything
    std::optional<base::Instant> first_token_at;

    // A car has had this answer and the client has seen something of it.
    [[nodiscard]] bool broken_off(const Answer& answer) const {
        return answer.attempts > 0 && (begun || answer.resume.tokens > 0);
    }
    [[nodiscard]] const std::string& work_json(const Answer& answer) const {
        return asked.works[answer.index()];
    }
};

}  // namespace idlewatt::gateway
