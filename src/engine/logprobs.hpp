// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Probabilities of tokens: llama-server's entries as OpenAI's. Values only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace idlewatt::engine {

// Of one piece. One message between car and gateway holds a piece of a quarter of a megabyte.
inline constexpr std::size_t logprobs_piece_bytes = 64 * 1024;
// Of one answer, while they wait for its text.
inline constexpr std::size_t logprobs_held_bytes_max = 16 * 1024 * 1024;

// Probabilities that wait for a piece.
class HeldLogprobs {
public:
    // entries: llama-server's, a JSON array; each with at most `top` others beside it.
    void append(std::string_view entries_json, std::uint32_t top);
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    // In order, each as Piece.logprobs_json has it and at most logprobs_piece_bytes long; none are
    // left.
    [[nodiscard]] std::vector<std::string> take();

private:
    std::vector<std::string> open_;  // arrays that are not closed yet
    std::size_t bytes_ = 0;
};

}  // namespace idlewatt::engine
