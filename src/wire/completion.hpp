// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Requests to /v1/completions. Their answers: answer.hpp. Pure; any thread.
#pragma once

#include <string_view>

#include "wire/api_error.hpp"
#include "wire/api_request.hpp"

namespace idlewatt::wire {

// A prompt is a text or token ids; several prompts make several works. max_tokens is 16 if absent.
// Refused: suffix, best_of above 1, echo of token ids, echo with logprobs (engines tell nothing
// about the prompt's tokens).
[[nodiscard]] tl::expected<ApiRequest, ApiError> parse_completion_request(std::string_view body);

}  // namespace idlewatt::wire
