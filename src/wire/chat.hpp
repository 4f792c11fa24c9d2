// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Requests to /v1/chat/completions. Their answers: answer.hpp. Fields as documented by OpenAI, plus
// those that llama-server understands, which pass through untouched. Pure; any thread.
#pragma once

#include <string_view>

#include "wire/api_error.hpp"
#include "wire/api_request.hpp"

namespace idlewatt::wire {

// Refuses what cannot be served: no messages, wrong types, features that are not supported. Known
// fields that change the answer are never dropped silently; unknown ones pass to the engine.
// Pictures are taken as data: URLs only (has_images), because engines have no network. A choice of
// tools (one by name, or allowed_tools) reaches the engine as a shorter list of tools. logit_bias
// passes. Refused for all engines: logprobs together with tools, audio, store, web search.
[[nodiscard]] tl::expected<ApiRequest, ApiError> parse_chat_request(std::string_view body);

}  // namespace idlewatt::wire
