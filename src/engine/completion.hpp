// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Translation between the client's chat request and llama-server's /completion, which names token
// ids, counts tokens and takes a prompt mixed of text and ids. Values only, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.hpp"
#include "core/resume_point.hpp"
#include "core/stream.hpp"

namespace idlewatt::engine {

// A chat request that was read once.
struct CompletionRequest {
    std::string template_json;  // body for /apply-template
    // Limit of the whole answer, the resumed part included.
    std::optional<std::uint32_t> tokens_max;
    std::string fields_json;  // sampling fields for /completion, as an object
};

// An error of kind bad_input is the client's own: the answer is 400.
[[nodiscard]] base::Result<CompletionRequest> read_request(std::string_view request_json);

// Body for /completion. prompt: the templated text, or its tokens where they are known.
[[nodiscard]] std::string completion_body(const CompletionRequest& request,
                                          const std::variant<std::string, core::TokenIds>& prompt,
                                          const core::ResumePoint& resume);

// The member "prompt" of /apply-template's answer, "tokens" of /tokenize's.
[[nodiscard]] base::Result<std::string> templated_prompt(std::string_view response_json);
[[nodiscard]] base::Result<core::TokenIds> tokenized(std::string_view response_json);
[[nodiscard]] std::string tokenize_body(std::string_view text, bool as_prompt);

// The engine's own words from an error body, or the body's beginning.
[[nodiscard]] std::string error_message(std::string_view response_json);

// What one event of a streamed /completion says.
struct CompletionEvent {
    core::TokenIds ids;
    std::string text;
    bool counts = false;  // the event says how many tokens there were
    std::uint32_t tokens_predicted = 0;
    std::uint32_t tokens_evaluated = 0;
    bool last = false;
    core::FinishReason reason = core::FinishReason::stop;  // of the last
    std::uint32_t cached_tokens = 0;                       // of the last
};

struct CompletionError {
    std::uint32_t status = 500;
    std::string message;
};

// Takes the events out of a streamed body.
class CompletionEvents {
public:
    static constexpr std::size_t event_bytes_max = 8 * 1024 * 1024;

    void feed(std::string_view body) { pending_.append(body); }
    // The next whole event; nothing: more bytes are needed. An error is final.
    [[nodiscard]] base::Result<std::optional<std::variant<CompletionEvent, CompletionError>>>
    next();

private:
    std::string pending_;
    std::size_t begin_ = 0;
};

}  // namespace idlewatt::engine
