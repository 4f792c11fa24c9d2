// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Two questions about rows of chunks that engines said. Where in the answer does a prompt go on?
// Which of the chunks are in a client's text, and how often? Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/tap_reading.hpp"

namespace idlewatt::cli {

struct ResumeAlignment {
    std::vector<EngineChunk> kept;  // what the prompt holds, and what it passes over
    std::uint64_t passed_over = 0;  // tokens in kept that the prompt lacks
    std::uint64_t surplus = 0;      // parts of the prompt that nobody said there
};

// Of a chunk that names only its last id, number and last id must be right: what stands before,
// the tap does not tell.
[[nodiscard]] ResumeAlignment align_resume(const std::vector<PromptPart>& resumed,
                                           const std::vector<EngineChunk>& answer);

struct TextAlignment {
    std::uint64_t delivered = 0;   // tokens
    std::uint64_t lost = 0;        // tokens
    std::uint64_t duplicated = 0;  // tokens
    std::uint64_t foreign_bytes = 0;
    std::size_t first_difference = 0;  // byte of the text; its size when there is none
    bool judged = true;                // false: different, and too long to say how
};

// finished: the text must hold the whole answer; else only a beginning of it. What differs is
// explained by the fewest tokens lost or said twice; bytes that no engine said come last.
// said: all chunks of all attempts, of which a repetition may be one.
[[nodiscard]] TextAlignment align_text(std::string_view text,
                                       const std::vector<EngineChunk>& answer, bool finished,
                                       const std::vector<EngineChunk>& said);

}  // namespace idlewatt::cli
