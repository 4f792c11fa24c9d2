// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a request of the OpenAI API tells the gateway, whatever its kind: all that it decides by,
// and the works that engines are to do. Parsed by chat.hpp, completion.hpp and embedding.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/api_key.hpp"
#include "core/stream.hpp"

namespace idlewatt::wire {

// How deep and how large a request's JSON may be.
inline constexpr std::size_t request_depth_max = 64;
inline constexpr std::size_t request_values_max = 200'000;
inline constexpr std::uint32_t choices_max = 8;                              // n
inline constexpr std::size_t works_max = 128;                                // prompts times n
inline constexpr std::size_t works_bytes_max = 2 * core::request_bytes_max;  // of all together
inline constexpr std::size_t stops_max = 4;
inline constexpr std::uint32_t top_logprobs_max = 20;
inline constexpr std::uint32_t completion_logprobs_max = 5;
inline constexpr std::size_t logit_biases_max = 1024;
inline constexpr std::uint32_t completion_tokens_default = 16;
inline constexpr std::size_t function_name_bytes_max = 64;
inline constexpr std::size_t tools_max = 128;

struct ApiRequest {
    core::Task task = core::Task::chat;
    std::string model;  // empty: the default model
    // JSON for an engine, one for each choice: one prompt, n of 1, the role developer as system.
    // Work i is choice i of the answer and belongs to prompt i / n. An embedding is one work.
    std::vector<std::string> works;
    std::uint32_t n = 1;
    bool stream = false;
    bool include_usage = false;
    std::optional<std::uint32_t> max_tokens;  // of each choice; absent: up to the context
    std::optional<core::DataClass> data_class;
    // The same for all requests that begin alike (model, instructions, first question), so that a
    // car that has the beginning in its cache can be found again. Stable over versions.
    std::uint64_t affinity = 0;
    std::optional<std::int64_t> seed;
    std::string service_tier;   // as asked for; empty: not at all
    bool wants_tools = false;   // the answer may be a call
    bool wants_schema = false;  // the answer has a form (JSON, grammar)
    bool has_images = false;    // only for cars with image input
    // Present: logprobs are wanted, with so many alternatives of each token.
    std::optional<std::uint32_t> top_logprobs;

    // Of completions with echo: the prompt of each work, which stands before its text.
    std::vector<std::string> echoes;

    // Of embeddings.
    std::uint32_t inputs = 0;                 // so many vectors are owed
    bool base64 = false;                      // the vectors as base64 of little-endian float32
    std::optional<std::uint32_t> dimensions;  // if the vectors have another length: 400
};

}  // namespace idlewatt::wire
