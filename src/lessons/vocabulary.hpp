// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A vocabulary of word pieces in SentencePiece's form, learnt from texts by byte-pair encoding, and
// the way from text to its numbers that llama.cpp takes with it (so that what is learnt here is
// what an engine sees). Digits are never joined: sums are done digit by digit.
//
// Source of the method: Sennrich, Haddow, Birch, "Neural machine translation of rare words with
// subword units" (2016).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lessons/lessons.hpp"

namespace idlewatt::lessons {

// As GGUF numbers them.
enum class PieceType : std::int32_t { normal = 1, unknown = 2, control = 3, byte = 6 };

class Vocabulary {
public:
    static constexpr std::int32_t unknown = 0;
    static constexpr std::int32_t begin_of_text = 1;
    static constexpr std::int32_t begin_of_turn = 3;
    static constexpr std::int32_t end_of_turn = 4;
    static constexpr std::int32_t first_byte = 5;

    // At most so many joined pieces beside the marks, the bytes and the printable characters.
    [[nodiscard]] static Vocabulary learn(std::span<const std::string> texts, std::size_t joined);

    [[nodiscard]] std::size_t size() const { return texts_.size(); }
    [[nodiscard]] const std::vector<std::string>& texts() const { return texts_; }
    [[nodiscard]] const std::vector<float>& scores() const { return scores_; }
    [[nodiscard]] const std::vector<std::int32_t>& types() const { return types_; }

    // Of plain text: what looks like a mark is not one.
    [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const;
    // Of pieces and bytes; marks are left out.
    [[nodiscard]] std::string decode(std::span<const std::int32_t> pieces) const;

private:
    Vocabulary();
    void add(std::string text, PieceType type, float score);
    [[nodiscard]] std::int32_t find(const std::string& text) const;  // -1: none

    std::vector<std::string> texts_;
    std::vector<float> scores_;
    std::vector<std::int32_t> types_;
    std::unordered_map<std::string, std::int32_t> numbers_;
};

// A conversation as the chat template of the model writes it.
struct Transcript {
    std::vector<std::int32_t> pieces;  // from the begin of text to the end of the answer
    std::size_t answer_begin = 0;      // index of the answer's first piece
};

[[nodiscard]] Transcript transcribe(const Lesson& lesson, const Vocabulary& vocabulary);

}  // namespace idlewatt::lessons
