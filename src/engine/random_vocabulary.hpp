// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The vocabulary of random models: SentencePiece's form with all 256 bytes, some common words with
// all their beginnings (so that the tokeniser reaches each word), a few wide characters, and the
// marks of a chat.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/random_model.hpp"

namespace idlewatt::engine {

struct RandomVocabulary {
    std::vector<std::string> texts;
    std::vector<float> scores;
    std::vector<std::int32_t> types;
    // Added to the logit of each token, in standard deviations: without it a random model speaks
    // broken UTF-8, which engines hold back.
    std::vector<float> biases;
    std::uint32_t unknown = 0;
    std::uint32_t begin_of_text = 1;
    std::uint32_t end_of_turn = 0;
};

[[nodiscard]] RandomVocabulary random_vocabulary(RandomSyntax syntax = RandomSyntax::plain);

// Renders system, user, assistant and tool messages and the list of tools; thoughts too where the
// syntax has them.
[[nodiscard]] std::string random_model_chat_template(RandomSyntax syntax = RandomSyntax::plain);

}  // namespace idlewatt::engine
