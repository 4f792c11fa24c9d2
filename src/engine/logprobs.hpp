// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Probabilities of tokens: llama-server's entries as OpenAI's. Values only.
#pragma once

#include <cstdint>
#include <string>

#include "engine/engine_json.hpp"

namespace idlewatt::engine {

// Appends llama-server's entries to a list of OpenAI's logprobs.content, with at most `top` others
// beside each.
void append_logprobs(Json& list, const Json& entries, std::uint32_t top);

// As Piece.logprobs_json has it; empty for an empty list.
[[nodiscard]] std::string logprobs_json(const Json& list);

}  // namespace idlewatt::engine
