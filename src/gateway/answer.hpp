// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One client's question and how far its answer is. Plain data that the core works on.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "core/core.hpp"
#include "gateway/fleet_view.hpp"
#include "http/http.hpp"
#include "wire/chat.hpp"

namespace idlewatt::gateway {

// The try that is under way.
struct OpenAttempt {
    core::AttemptId id;
    CarNumber car = 0;
    core::VehicleId vehicle;
    core::Incarnation incarnation;

    std::vector<std::string> parts;  // of the request, until the car has them all
    std::uint64_t work_bytes = 0;
    std::uint32_t tokens_before = 0;  // of the answer, when this attempt began
    bool heard = false;               // the car has said anything at all

    std::uint64_t received = 0;      // numbered messages, without holes
    std::uint64_t with_client = 0;   // of these, written to the client
    std::uint64_t acknowledged = 0;  // of these, told the car
    std::deque<std::pair<std::uint64_t, std::uint64_t>> unwritten;  // sequence, response bytes

    // So many bytes of the response are with the client.
    void written(std::uint64_t bytes) {
        for (; !unwritten.empty() && unwritten.front().second <= bytes; unwritten.pop_front())
            with_client = unwritten.front().first;
    }

    base::Instant heard_at;
    base::Instant advanced_at;  // when the last message without a hole came, or the attempt began
    std::uint32_t parts_seen = 0;  // what the car said last of the parts it has
    base::Instant acknowledged_at;
    base::Instant repeated_at;  // when something was last asked or sent again
    base::Instant ended_at;     // once it settles: its end, or when the client last took something
};

struct Answer {
    core::WorkId work;
    http::RequestId request{};
    wire::ChatRequest chat;
    wire::AnswerHead head;

    // What the client has, or will have: everything from here on must continue it.
    core::ResumePoint resume;
    std::string text;                 // the whole text, only when the client does not stream
    std::uint64_t bytes_given = 0;    // to the HTTP server
    std::uint64_t bytes_written = 0;  // of these, by it to the client
    bool begun = false;               // status and headers are out
    bool done = false;                // answered, failed or abandoned; about to be forgotten

    std::optional<OpenAttempt> attempt;
    std::uint32_t attempts = 0;
    std::uint32_t attempts_without_progress = 0;
    std::vector<std::pair<CarNumber, base::Instant>> avoided;  // car, until when

    base::Instant arrived_at;
    base::Instant waiting_since;  // for a car; meaningful without an attempt
    base::Instant piece_at;       // the last piece received
    base::Instant progress_at;    // the same, or bytes taken by the client
    base::Instant comment_at;
    std::optional<base::Instant> gap_from;  // the last piece before a migration

    // A car has had it and the client has seen something of it.
    [[nodiscard]] bool broken_off() const { return attempts > 0 && (begun || resume.tokens > 0); }
};

}  // namespace idlewatt::gateway
