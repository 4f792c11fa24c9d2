// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Events of streams. answer_whole.cpp has bodies.
#include "wire/answer.hpp"

#include "base/assert.hpp"
#include "wire/answer_text.hpp"
#include "wire/chat_text.hpp"
#include "wire/logprobs.hpp"

namespace idlewatt::wire {

namespace {

bool is_completion(const AnswerHead& head) {
    return head.task == core::Task::completion;
}

void open_chunk(std::string& out, const AnswerHead& head, std::size_t text_bytes) {
    const std::size_t more = text_bytes + head.model.size() + head.work.value.size() + 256;
    if (out.capacity() - out.size() < more)
        out.reserve(out.size() + std::max(out.size(), more));
    out += "data: ";
    append_head(out, head, is_completion(head) ? "text_completion" : "chat.completion.chunk");
}

// "choices":[{"index":N,
void open_choice(std::string& out, const StreamedChoice& choice) {
    out += R"("choices":[{"index":)";
    out += std::to_string(choice.index);
    out += ',';
}

void close_choice(std::string& out, const AnswerHead& head, std::string_view finish) {
    out += R"(,"finish_reason":)";
    if (finish.empty()) {
        out += "null";
    } else {
        append_json_string(out, finish);
    }
    out += head.include_usage ? "}],\"usage\":null}\n\n" : "}]}\n\n";
}

void append_logprobs(std::string& out, const AnswerHead& head, StreamedChoice& choice,
                     const std::string& logprobs_json) {
    if (!head.top_logprobs && !is_completion(head))
        return;  // a chat's chunk names them only when they are wanted
    out += R"(,"logprobs":)";
    if (!head.top_logprobs || logprobs_json.empty()) {
        out += "null";
    } else if (is_completion(head)) {
        choice.text_offset = append_completion_logprobs(out, {&logprobs_json, 1},
                                                        *head.top_logprobs, choice.text_offset);
    } else {
        append_chat_logprobs(out, {&logprobs_json, 1}, *head.top_logprobs);
    }
}

void append_text_chunk(std::string& out, const AnswerHead& head, StreamedChoice& choice,
                       std::string_view text, const std::string& logprobs_json) {
    open_chunk(out, head, text.size());
    open_choice(out, choice);
    out += R"("text":)";
    append_json_string(out, text);
    const std::uint64_t before = choice.text_offset;
    append_logprobs(out, head, choice, logprobs_json);
    close_choice(out, head, {});
    // Text of which no token is told.
    if (head.top_logprobs && choice.text_offset == before)
        choice.text_offset += characters(text);
}

void append_delta(std::string& out, const AnswerHead& head, StreamedChoice& choice,
                  const core::Piece& piece, bool with_logprobs) {
    open_chunk(out, head, piece.text.size() + piece.reasoning.size());
    open_choice(out, choice);
    out += R"("delta":{)";
    if (!piece.reasoning.empty()) {
        out += R"("reasoning_content":)";
        append_json_string(out, piece.reasoning);
    }
    if (!piece.text.empty()) {
        out += piece.reasoning.empty() ? R"("content":)" : R"(,"content":)";
        append_json_string(out, piece.text);
    }
    out += '}';
    if (with_logprobs)
        append_logprobs(out, head, choice, piece.logprobs_json);
    close_choice(out, head, {});
}

// As documented: the first delta of a call says what is called, the next ones hold the arguments.
void append_call(std::string& out, const AnswerHead& head, StreamedChoice& choice,
                 const core::ToolCall& call) {
    for (const bool first : {true, false}) {
        open_chunk(out, head, call.id.size() + call.name.size() + call.arguments_json.size());
        open_choice(out, choice);
        out += R"("delta":{"tool_calls":[{"index":)";
        out += std::to_string(choice.tool_calls);
        if (first) {
            out += R"(,"id":)";
            append_json_string(out, call.id);
            out += R"(,"type":"function",)";
            append_function(out, call.name, "");
        } else {
            out += R"(,"function":{"arguments":)";
            append_json_string(out, call.arguments_json);
            out += '}';
        }
        out += "}]}";
        close_choice(out, head, {});
    }
    ++choice.tool_calls;
}

}  // namespace

void append_begin(std::string& out, const AnswerHead& head, StreamedChoice& choice,
                  std::string_view echo) {
    if (is_completion(head)) {
        if (!echo.empty())
            append_text_chunk(out, head, choice, echo, {});
        return;
    }
    open_chunk(out, head, 0);
    append_tier(out, head);
    open_choice(out, choice);
    out += R"("delta":{"role":"assistant","content":""})";
    close_choice(out, head, {});
}

void append_piece(std::string& out, const AnswerHead& head, StreamedChoice& choice,
                  const core::Piece& piece) {
    const bool has_logprobs = head.top_logprobs.has_value() && !piece.logprobs_json.empty();
    if (is_completion(head)) {
        if (!piece.text.empty() || has_logprobs)
            append_text_chunk(out, head, choice, piece.text, piece.logprobs_json);
        return;
    }
    if (!piece.text.empty() || !piece.reasoning.empty() || has_logprobs)
        append_delta(out, head, choice, piece, head.top_logprobs.has_value());
    for (const core::ToolCall& call : piece.tool_calls)
        append_call(out, head, choice, call);
}

void append_finish(std::string& out, const AnswerHead& head, const StreamedChoice& choice,
                   core::FinishReason reason) {
    open_chunk(out, head, 0);
    append_tier(out, head);
    open_choice(out, choice);
    if (is_completion(head)) {
        out += R"("text":"","logprobs":null)";
        if (reason == core::FinishReason::tool_calls)
            reason = core::FinishReason::stop;
    } else {
        out += R"("delta":{})";
        // The car that ended the answer need not be the one that made the call.
        if (choice.tool_calls > 0 && reason == core::FinishReason::stop)
            reason = core::FinishReason::tool_calls;
    }
    close_choice(out, head, finish_name(reason));
}

void append_usage(std::string& out, const AnswerHead& head, const Usage& usage) {
    if (!head.include_usage)
        return;
    open_chunk(out, head, 0);
    out += R"("choices":[],)";
    append_usage_object(out, usage);
    out += "}\n\n";
}

std::string done_event() {
    return "data: [DONE]\n\n";
}

std::string comment_event(std::string_view text) {
    std::string out = ": ";
    for (const char c : text) {
        out += c == '\n' || c == '\r' ? ' ' : c;
    }
    out += "\n\n";
    return out;
}

}  // namespace idlewatt::wire
