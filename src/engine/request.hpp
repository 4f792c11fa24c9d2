// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A client's request, read once: what llama-server needs of it, whichever of its endpoints answers.
// Values only, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "core/resume_point.hpp"
#include "core/stream.hpp"

namespace idlewatt::engine {

// Text, or its tokens where they are known.
using Input = std::variant<std::string, core::TokenIds>;

inline constexpr std::uint32_t top_logprobs_max = 20;
// OpenAI's limit for a completion that names none.
inline constexpr std::uint32_t completion_tokens_default = 16;

struct Request {
    core::Task task = core::Task::chat;
    // Limit of the whole answer, the resumed part included.
    std::optional<std::uint32_t> tokens_max;
    std::string fields_json = "{}";  // sampling fields, as an object
    bool cache_prompt = true;        // not where a seed asks for the same answer again
    // Each token's probability is asked for, and those of so many others beside it.
    std::optional<std::uint32_t> top_logprobs;
    // The form that the answer must have, as fields of the engine's: an object with json_schema or
    // grammar. Empty: any.
    std::string form_json;
    // No endpoint goes on in the middle of this form, so the answer is held back until it is whole.
    // A grammar of the client's own starts at its root, and so does a schema on /completion; only
    // the chat endpoint advances a schema over what was said.
    bool held = false;

    // ── of a chat ──
    std::string template_json;  // body for /apply-template
    // What the chat endpoint has beside the sampling fields: messages, tools, response_format.
    std::string chat_json;
    bool tools = false;  // functions may be called
    // One must be called. The form that makes sure of it, as form_json; see demanded_calls.hpp.
    bool calls_demanded = false;
    std::string calls_form_json;
    bool images = false;  // a message holds more than text

    // ── of a completion, of an embedding ──
    Input prompt;
    std::vector<Input> inputs;
};

// An error of kind bad_input is the client's own: the answer is 400.
[[nodiscard]] base::Result<Request> read_request(std::string_view request_json,
                                                 core::Task task = core::Task::chat);

}  // namespace idlewatt::engine
