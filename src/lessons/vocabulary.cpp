// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "lessons/vocabulary.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <map>
#include <utility>

#include "base/assert.hpp"

namespace idlewatt::lessons {

namespace {

// SentencePiece's mark of a space.
constexpr std::string_view space_mark = "\xe2\x96\x81";

constexpr float score_of_character = -1000.0F;

using Symbols = std::vector<std::string>;

// Characters of UTF-8, with each space as its mark. A broken byte is a character of its own.
Symbols characters(std::string_view text) {
    Symbols found;
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i]);
        std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        length = std::min(length, text.size() - i);
        if (text[i] == ' ') {
            found.emplace_back(space_mark);
        } else {
            found.emplace_back(text.substr(i, length));
        }
        i += length;
    }
    return found;
}

bool may_be_joined(const std::string& symbol) {
    return symbol.starts_with(space_mark) || std::ranges::all_of(symbol, [](char c) {
               return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_';
           });
}

// A word and how often it comes; a space belongs to the word behind it.
std::map<std::string, std::size_t> words_of(std::span<const std::string> texts) {
    std::map<std::string, std::size_t> words;
    for (const std::string& text : texts) {
        for (std::size_t begin = 0; begin < text.size();) {
            std::size_t end = text.find_first_of(" \n", begin + 1);
            end = std::min(end, text.size());
            ++words[text.substr(begin, end - begin)];
            begin = end;
        }
    }
    return words;
}

struct Word {
    Symbols symbols;
    std::size_t count = 0;
};

using Pair = std::pair<std::string, std::string>;

// The most frequent; of equals the first in alphabetical order, so that it is the same everywhere.
Pair most_frequent(const std::vector<Word>& words) {
    std::map<Pair, std::size_t> counts;
    for (const Word& word : words) {
        for (std::size_t i = 0; i + 1 < word.symbols.size(); ++i) {
            const Pair pair = {word.symbols[i], word.symbols[i + 1]};
            // A mark of a space begins a piece and is nowhere else in it.
            if (may_be_joined(pair.first) && may_be_joined(pair.second) &&
                !pair.second.starts_with(space_mark)) {
                counts[pair] += word.count;
            }
        }
    }
    const auto best = std::ranges::max_element(
        counts, [](const auto& a, const auto& b) { return a.second < b.second; });
    return best == counts.end() ? Pair{} : best->first;
}

void join(Symbols& symbols, const Pair& pair) {
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        if (symbols[i] == pair.first && symbols[i + 1] == pair.second) {
            symbols[i] += symbols[i + 1];
            symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
    }
}

}  // namespace

Vocabulary::Vocabulary() {
    add("<unk>", PieceType::unknown, 0.0F);
    add("<s>", PieceType::control, 0.0F);
    add("</s>", PieceType::control, 0.0F);
    add("<|im_start|>", PieceType::control, 0.0F);
    add("<|im_end|>", PieceType::control, 0.0F);
    for (int value = 0; value < 256; ++value) {
        char name[8];
        std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(value));
        add(name, PieceType::byte, 0.0F);
    }
    add(std::string(space_mark), PieceType::normal, score_of_character);
    for (char c = '!'; c <= '~'; ++c)
        add(std::string(1, c), PieceType::normal, score_of_character);
}

void Vocabulary::add(std::string text, PieceType type, float score) {
    const bool fresh = numbers_.emplace(text, static_cast<std::int32_t>(texts_.size())).second;
    IDLEWATT_ASSERT(fresh);
    texts_.push_back(std::move(text));
    types_.push_back(static_cast<std::int32_t>(type));
    scores_.push_back(score);
}

std::int32_t Vocabulary::find(const std::string& text) const {
    const auto found = numbers_.find(text);
    return found == numbers_.end() ? -1 : found->second;
}

Vocabulary Vocabulary::learn(std::span<const std::string> texts, std::size_t joined) {
    Vocabulary vocabulary;
    std::vector<Word> words;
    for (const auto& [text, count] : words_of(texts))
        words.push_back({characters(text), count});
    for (std::size_t rank = 0; rank < joined; ++rank) {
        const Pair pair = most_frequent(words);
        if (pair.first.empty())
            break;
        // What was joined first is joined first again.
        vocabulary.add(pair.first + pair.second, PieceType::normal, -static_cast<float>(rank + 1));
        for (Word& word : words)
            join(word.symbols, pair);
    }
    return vocabulary;
}

std::vector<std::int32_t> Vocabulary::encode(std::string_view text) const {
    Symbols symbols = characters(text);
    for (;;) {
        std::size_t best = symbols.size();
        float best_score = 0.0F;
        for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
            const std::int32_t number = find(symbols[i] + symbols[i + 1]);
            if (number < 0)
                continue;
            const float score = scores_[static_cast<std::size_t>(number)];
            if (best == symbols.size() || score > best_score) {
                best = i;
                best_score = score;
            }
        }
        if (best == symbols.size())
            break;
        symbols[best] += symbols[best + 1];
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    std::vector<std::int32_t> pieces;
    for (const std::string& symbol : symbols) {
        const std::int32_t number = find(symbol);
        if (number >= 0) {
            pieces.push_back(number);
            continue;
        }
        for (const char c : symbol)
            pieces.push_back(first_byte + static_cast<unsigned char>(c));
    }
    return pieces;
}

std::string Vocabulary::decode(std::span<const std::int32_t> pieces) const {
    std::string text;
    for (const std::int32_t piece : pieces) {
        const auto index = static_cast<std::size_t>(piece);
        IDLEWATT_ASSERT(index < texts_.size());
        if (types_[index] == static_cast<std::int32_t>(PieceType::byte)) {
            text += static_cast<char>(piece - first_byte);
        } else if (types_[index] == static_cast<std::int32_t>(PieceType::normal)) {
            text += texts_[index];
        }
    }
    for (std::size_t at = text.find(space_mark); at != text.npos; at = text.find(space_mark, at))
        text.replace(at, space_mark.size(), " ");
    return text;
}

Transcript transcribe(const Lesson& lesson, const Vocabulary& vocabulary) {
    Transcript transcript;
    const auto append = [&](std::string_view text) {
        const auto pieces = vocabulary.encode(text);
        transcript.pieces.insert(transcript.pieces.end(), pieces.begin(), pieces.end());
    };
    transcript.pieces.push_back(Vocabulary::begin_of_text);
    for (std::size_t i = 0; i < lesson.turns.size(); ++i) {
        transcript.pieces.push_back(Vocabulary::begin_of_turn);
        append((i % 2 == 0 ? "user\n" : "assistant\n") + lesson.turns[i]);
        transcript.pieces.push_back(Vocabulary::end_of_turn);
        append("\n");
    }
    transcript.pieces.push_back(Vocabulary::begin_of_turn);
    append("assistant\n");
    transcript.answer_begin = transcript.pieces.size();
    append(lesson.answer);
    transcript.pieces.push_back(Vocabulary::end_of_turn);
    return transcript;
}

}  // namespace idlewatt::lessons
