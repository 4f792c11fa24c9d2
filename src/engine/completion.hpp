// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Translation between a client's request and llama-server's /completion, which names token ids,
// counts tokens and takes a prompt mixed of text and ids. Values only, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.hpp"
#include "core/resume_point.hpp"
#include "core/stream.hpp"
#include "engine/request.hpp"
#include "engine/server_events.hpp"

namespace idlewatt::engine {

// Body for /completion. prompt: the templated text, or its tokens where they are known.
[[nodiscard]] std::string completion_body(const Request& request, const Input& prompt,
                                          const core::ResumePoint& resume);

// The member "prompt" of /apply-template's answer, "tokens" of /tokenize's, "content" of
// /detokenize's.
[[nodiscard]] base::Result<std::string> templated_prompt(std::string_view response_json);
[[nodiscard]] base::Result<core::TokenIds> tokenized(std::string_view response_json);
[[nodiscard]] base::Result<std::string> detokenized(std::string_view response_json);
[[nodiscard]] std::string tokenize_body(std::string_view text, bool as_prompt);
[[nodiscard]] std::string detokenize_body(const core::TokenIds& ids);

// What one event of a streamed /completion says.
struct CompletionEvent {
    core::TokenIds ids;
    std::string text;
    std::string logprobs_json{};  // llama-server's entries, as a list; empty: none
    bool counts = false;          // the event says how many tokens there were
    std::uint32_t tokens_predicted = 0;
    std::uint32_t tokens_evaluated = 0;
    bool last = false;
    core::FinishReason reason = core::FinishReason::stop;  // of the last
    std::uint32_t cached_tokens = 0;                       // of the last
};

using CompletionError = EngineError;

// Takes the events out of a streamed body.
class CompletionEvents {
public:
    void feed(std::string_view body) { events_.feed(body); }
    // The next whole event; nothing: more bytes are needed. An error is final.
    [[nodiscard]] base::Result<std::optional<std::variant<CompletionEvent, CompletionError>>>
    next();

private:
    ServerEvents events_;
};

}  // namespace idlewatt::engine
