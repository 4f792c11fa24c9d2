// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One answer of the in-memory twin: where it stands and what it says next. Only for the sources of
// this module.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/loop.hpp"
#include "engine/engine.hpp"
#include "engine/memory_answer.hpp"
#include "engine/request.hpp"

namespace idlewatt::engine {

// A vector of length one, from the input's bytes alone.
[[nodiscard]] std::string memory_embedding(const Input& input);

struct MemoryStream {
    StreamId id{};
    StreamHandler handler;
    MemoryAnswer answer;
    std::vector<std::string> vectors;  // of an embedding
    std::size_t vectors_said = 0;
    std::uint32_t prompt_tokens = 0;
    std::uint32_t position = 0;
    std::uint32_t generated = 0;
    std::uint32_t pieces = 0;
    bool in_slot = false;
    bool paused = false;
    bool due = false;  // its next piece fell due while the engine was stalled
    std::deque<std::variant<core::Piece, core::Embedding>> said;
    std::optional<StreamEnd> end;
    std::optional<base::TimerId> timer;

    // Reads the request. Why it is none; empty: it is one.
    [[nodiscard]] std::string open(const Generation& generation);
    // How many tokens the next piece has, which is the time it takes; of a vector one.
    [[nodiscard]] std::uint32_t next_tokens(std::uint32_t nameless_every) const;
    // Says that, if there is anything left.
    void say_next(std::uint32_t nameless_every, bool lying);
    [[nodiscard]] bool over() const;
    [[nodiscard]] core::Finished finished() const;
};

}  // namespace idlewatt::engine
