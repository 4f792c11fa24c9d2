// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Requests to /v1/embeddings and their answers. Pure; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "wire/api_error.hpp"
#include "wire/api_request.hpp"

namespace idlewatt::wire {

// One work, whose JSON holds "input" as a list of texts or of lists of token ids.
[[nodiscard]] tl::expected<ApiRequest, ApiError> parse_embedding_request(std::string_view body);

// The vectors as cars sent them (core::Embedding.values), in the order of the inputs. The caller
// has checked that none is missing. A number that JSON cannot say (NaN, infinity) becomes 0.
[[nodiscard]] std::string embedding_answer(std::string_view model,
                                           std::span<const std::string> vectors, bool base64,
                                           std::uint32_t prompt_tokens);

// An error if the request asks for another number of dimensions than the vectors have.
[[nodiscard]] std::optional<ApiError> check_dimensions(const ApiRequest& request,
                                                       std::string_view values);

}  // namespace idlewatt::wire
