// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Reads the event that an answer consists of, token by token, without building a tree of it: an
// engine says it some thousand times a second, and all of them look alike.
#pragma once

#include <optional>
#include <string_view>

#include "engine/completion.hpp"

namespace idlewatt::engine {

// What the JSON library would read. Nothing: it looks different, and the library shall read it.
[[nodiscard]] std::optional<CompletionEvent> read_common_event(std::string_view json);

}  // namespace idlewatt::engine
