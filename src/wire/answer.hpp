// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Answers of the OpenAI API as text, for chats and completions alike (AnswerHead.task says which):
// events of a stream and whole bodies. Each token of each client passes here, so events are
// written straight into the caller's buffer, without a tree. What comes from a car may hold any
// bytes: what is not UTF-8 is replaced (U+FFFD), logprobs are read and written anew.
// Pure; any thread.
//
//   append_begin   once for each choice, before its first piece
//   append_piece   for each piece; may append nothing
//   append_finish  once for each choice
//   append_usage   once, after all choices; only appends if include_usage was asked for
//   done_event     then; or in place of all that is still missing: error_event (api_error.hpp)
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "core/id.hpp"
#include "core/stream.hpp"

namespace idlewatt::wire {

// What all parts of one answer have in common.
struct AnswerHead {
    core::WorkId work;  // names the answer: chatcmpl-<work>, cmpl-<work>
    std::string model;
    base::WallTime created;
    bool include_usage = false;  // every chunk says "usage":null, as documented for that option
    core::Task task = core::Task::chat;
    std::optional<std::uint32_t> top_logprobs{};  // present: the client wants logprobs
    // The one really used: said in the first and the last chunk of each choice and in whole bodies.
    // Empty: not said.
    std::string service_tier{};
    // Of the car that answers, as it announces it; said in all chunks and whole bodies as
    // system_fingerprint, fp_ before it. Empty: unknown, said as null.
    std::string fingerprint{};
};

// Of several works: the prompt's tokens count once for each prompt, all others are summed.
struct Usage {
    std::uint32_t prompt_tokens = 0;
    std::uint32_t completion_tokens = 0;
    std::uint32_t cached_tokens = 0;
    std::uint32_t reasoning_tokens = 0;  // part of completion_tokens
};

// How far the stream of one choice is. The caller keeps it.
struct StreamedChoice {
    std::uint32_t index = 0;
    std::uint32_t tool_calls = 0;  // sent so far
    // In characters: where the next token of a completion's logprobs begins. Behind the text that
    // has been sent, or within it where a text came before all its logprobs.
    std::uint64_t text_offset = 0;
};

// A chat says its role; a completion says the prompt if it is to be echoed, else nothing.
void append_begin(std::string& out, const AnswerHead& head, StreamedChoice& choice,
                  std::string_view echo = {});
void append_piece(std::string& out, const AnswerHead& head, StreamedChoice& choice,
                  const core::Piece& piece);
void append_finish(std::string& out, const AnswerHead& head, const StreamedChoice& choice,
                   core::FinishReason reason);
void append_usage(std::string& out, const AnswerHead& head, const Usage& usage);
[[nodiscard]] std::string done_event();
[[nodiscard]] std::string comment_event(std::string_view text);

// One choice of an answer that is not streamed.
struct WholeChoice {
    std::string text;  // of a completion with echo: begins as the prompt
    std::string reasoning;
    std::vector<core::ToolCall> tool_calls;
    std::vector<std::string> logprobs_json;  // of the pieces, in order
    core::FinishReason reason = core::FinishReason::stop;

    void append(const core::Piece& piece);
    [[nodiscard]] std::size_t bytes() const;
};
// Where a completion's text begins when the prompt is echoed.
[[nodiscard]] WholeChoice echoed_choice(std::string_view echo);

[[nodiscard]] std::string whole_answer(const AnswerHead& head, std::span<const WholeChoice> choices,
                                       const Usage& usage);

}  // namespace idlewatt::wire
