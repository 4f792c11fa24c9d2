// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a car says about the probabilities of tokens, read and written anew in OpenAI's two forms.
// Nothing of a car's JSON reaches a client unread. Only for the sources of this module.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace idlewatt::wire {

// Appends {"content":[…],"refusal":null}, or null when the texts hold no entry.
void append_chat_logprobs(std::string& out, std::span<const std::string> arrays,
                          std::uint32_t top_max);

// Appends {"tokens":[…],"token_logprobs":[…],"top_logprobs":[…],"text_offset":[…]}, or null. The
// first token begins at text_offset, counted in characters; returned is where the last one ends.
std::uint64_t append_completion_logprobs(std::string& out, std::span<const std::string> arrays,
                                         std::uint32_t top_max, std::uint64_t text_offset);

// Of text that is UTF-8.
[[nodiscard]] std::uint64_t characters(std::string_view text);

}  // namespace idlewatt::wire
