// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a client of the chat API saw of one answer, read from the bytes of HTTP alone. Shares no
// code with the gateway that wrote them. Values and a pure parser.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace idlewatt::cli {

struct ReportedUsage {
    std::uint32_t prompt_tokens = 0;
    std::uint32_t completion_tokens = 0;
};

enum class AnswerOutcome {
    completed,           // whole, with its reason of finishing
    failed,              // an error of the service, or the connection broke
    failed_no_capacity,  // no car, or none in time to go on
    rejected,            // refused as the client's own mistake, or too many at once
    abandoned,           // the client hung up
};

struct AnswerRecord {
    std::string request_id;  // chatcmpl-<work id>; empty: it never got one
    std::string prompt;
    bool streamed = false;
    int status = 0;    // of HTTP; 0: no answer at all
    std::string text;  // of the answer, as far as it came
    std::string finish_reason;
    bool done_seen = false;  // "[DONE]"
    std::string error_code;
    std::string error_message;
    std::string broken;              // why the connection broke off; empty: it did not
    bool abandoned = false;          // by the client
    std::string protocol_complaint;  // the first thing that a strict client would not accept
    std::optional<ReportedUsage> usage;

    base::Instant asked_at;
    std::vector<base::Instant> piece_times;  // when pieces of text came
    base::Instant ended_at;
};

[[nodiscard]] AnswerOutcome outcome_of(const AnswerRecord& record);
// <work id>; empty if the request has no id.
[[nodiscard]] std::string_view work_id_of(const AnswerRecord& record);
// Between two pieces of text.
[[nodiscard]] base::Duration longest_pause_of(const AnswerRecord& record);

// Reads the body of one response piece by piece. An event is taken when its empty line has come;
// what is left over at the end was never whole.
class AnswerReader {
public:
    static constexpr std::size_t body_bytes_max = 64 * 1024 * 1024;

    void on_status(AnswerRecord& record, int status, std::string_view content_type);
    void on_body(AnswerRecord& record, std::string_view bytes, base::Instant now);
    // The body is complete (or the connection broke: broken says why).
    void on_end(AnswerRecord& record, std::string_view broken, base::Instant now);

private:
    void take_event(AnswerRecord& record, std::string_view event, base::Instant now);

    bool events_ = false;
    std::string pending_;
};

}  // namespace idlewatt::cli
