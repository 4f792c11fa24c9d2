// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a loaded llama-server says of itself. Values only.
#pragma once

#include <optional>
#include <string_view>

#include "engine/engine.hpp"

namespace idlewatt::engine {

struct EngineTraits {
    Ready ready;
    // The template has a syntax for reasoning. Said too often it costs the ids of tokens, said too
    // seldom thoughts would be taken for text.
    bool reasoning = false;
    // What the engine calls its own version and the weights that it has loaded; empty: not said.
    std::string build{};
    std::string quantization{};
    std::string chat_template{};
    std::string begin_mark{};  // of a text; the engine adds and removes it by itself
    std::string end_mark{};
};

// From /props; what is missing there is taken from fallback. Nothing: it is no answer of /props.
[[nodiscard]] std::optional<EngineTraits> read_properties(std::string_view props_json,
                                                          const Ready& fallback);

}  // namespace idlewatt::engine
