// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The bytes at an engine's socket as what they mean: which question was asked, how much of the
// answer was already there, and what the engine said. Knows HTTP and llama-server's /completion
// by their documentation alone and reads torn streams as far as they go. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/tap.hpp"

namespace idlewatt::cli {

// One event of an engine's stream.
struct EngineChunk {
    std::string text;
    std::vector<std::int32_t> ids;  // often only of the last of its tokens
    std::uint32_t tokens = 0;
};

using PromptPart = std::variant<std::int32_t, std::string>;

struct EngineAttempt {
    std::vector<PromptPart> resumed;  // of the prompt: the answer so far, behind the question
    std::vector<EngineChunk> said;
    bool ended = false;                      // the engine said that this is the end
    std::optional<std::uint32_t> n_predict;  // tokens that it was asked for; none: no limit
    std::string unreadable;                  // why it could not be understood; empty: it could
};

// All attempts at one work item, by number, as far as the engine was asked for an answer.
using TappedWork = std::map<std::uint32_t, EngineAttempt>;

// By work id. The label of a frame is "<work id>-<number of the attempt>". The question at the
// beginning of a prompt is one text or, where an answer is resumed, as many ids as the engine
// counted (tokens_evaluated) when it was asked with the text alone.
[[nodiscard]] std::map<std::string, TappedWork, std::less<>> read_works(
    const std::vector<std::vector<engine::TapFrame>>& taps);

struct HttpMessage {
    std::string start_line;
    std::string body;    // as far as it came
    bool whole = false;  // all of the body is there
};
// The messages that followed one another on a connection; the last may be torn.
[[nodiscard]] std::vector<HttpMessage> read_http_messages(std::string_view bytes);

}  // namespace idlewatt::cli
