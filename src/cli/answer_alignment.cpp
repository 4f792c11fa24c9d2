// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/answer_alignment.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <unordered_map>

namespace idlewatt::cli {

namespace {

// Beyond this many pairs of places (a text of 8 kB with 4,000 tokens) a difference is not
// explained.
constexpr std::size_t pairs_max = 32'000'000;
// How far a disagreement between prompt and answer is searched for the place where they agree.
constexpr std::size_t search_parts_max = 256;
// So many parts must agree before a place counts as found again.
constexpr std::size_t agreeing_parts = 3;

// ── prompts ─────────────────────────────────────────────────────────────────────────────────────

struct Place {
    std::size_t part = 0;    // of the prompt
    std::size_t chunk = 0;   // of the answer
    std::size_t offset = 0;  // bytes within the chunk's text
};

class PromptWalk {
public:
    PromptWalk(const std::vector<PromptPart>& parts, const std::vector<EngineChunk>& answer)
        : parts_(parts), answer_(answer) {}

    // Takes the next part, or the ids of the next chunk, if they are the same.
    [[nodiscard]] std::optional<Place> step(Place place) const {
        if (const auto* text = std::get_if<std::string>(&parts_[place.part]))
            return step_text(place, *text);
        if (place.offset > 0)
            return std::nullopt;
        for (; place.chunk < answer_.size(); ++place.chunk) {
            if (const std::size_t count = same_ids(place.part, answer_[place.chunk]); count > 0)
                return Place{place.part + count, place.chunk + 1, 0};
            // Tokens that became no text leave no trace in a prompt.
            if (!answer_[place.chunk].text.empty())
                break;
        }
        return std::nullopt;
    }

    [[nodiscard]] bool agrees(Place place) const {
        for (std::size_t i = 0; i < agreeing_parts && place.part < parts_.size(); ++i) {
            const auto next = step(place);
            if (!next)
                return false;
            place = *next;
        }
        return true;
    }

    // The nearest place at which both agree again.
    [[nodiscard]] std::optional<Place> find_again(Place from) const {
        for (std::size_t distance = 1; distance <= search_parts_max; ++distance) {
            for (std::size_t parts = 0; parts <= distance; ++parts) {
                const Place place{from.part + parts, from.chunk + distance - parts, 0};
                if (place.part < parts_.size() && place.chunk < answer_.size() && agrees(place))
                    return place;
            }
        }
        return std::nullopt;
    }

private:
    [[nodiscard]] std::optional<Place> step_text(Place place, std::string_view text) const {
        while (!text.empty()) {
            if (place.chunk >= answer_.size())
                return std::nullopt;
            const auto rest = std::string_view(answer_[place.chunk].text).substr(place.offset);
            if (text.starts_with(rest)) {
                text.remove_prefix(rest.size());
                ++place.chunk;
                place.offset = 0;
            } else if (rest.starts_with(text)) {
                place.offset += text.size();
                text = {};
            } else {
                return std::nullopt;
            }
        }
        ++place.part;
        return place;
    }

    // How many of the prompt's ids, from this part on, are this chunk; 0: they are not.
    [[nodiscard]] std::size_t same_ids(std::size_t part, const EngineChunk& chunk) const {
        const std::size_t count = std::max<std::size_t>(chunk.tokens, chunk.ids.size());
        if (count == 0 || part + count > parts_.size())
            return 0;
        std::vector<std::int32_t> ids;
        for (std::size_t i = part; i < part + count; ++i) {
            const auto* id = std::get_if<std::int32_t>(&parts_[i]);
            if (id == nullptr)
                return 0;
            ids.push_back(*id);
        }
        if (chunk.ids.size() == count)
            return ids == chunk.ids ? count : 0;
        return std::equal(chunk.ids.rbegin(), chunk.ids.rend(), ids.rbegin()) ? count : 0;
    }

    const std::vector<PromptPart>& parts_;
    const std::vector<EngineChunk>& answer_;
};

// ── texts ───────────────────────────────────────────────────────────────────────────────────────

enum class Move : std::uint8_t { none, deliver, lose, repeat, foreign };

struct Cell {
    std::uint64_t cost = std::numeric_limits<std::uint64_t>::max();
    std::uint32_t tokens = 0;  // of the move
    std::uint32_t bytes = 0;   // of the move
    Move move = Move::none;
};

// The cheapest explanation of a text: a walk from (nothing, nothing) to (all chunks, all bytes).
class TextWalk {
public:
    TextWalk(std::string_view text, const std::vector<EngineChunk>& answer,
             const std::vector<EngineChunk>& said)
        : text_(text), answer_(answer), cells_((answer.size() + 1) * (text.size() + 1)) {
        for (const EngineChunk& chunk : said) {
            if (chunk.text.empty())
                continue;
            auto& tokens = said_.try_emplace(chunk.text, chunk.tokens).first->second;
            tokens = std::min(tokens, chunk.tokens);
            lengths_.insert(chunk.text.size());
        }
    }

    TextAlignment run(bool finished) {
        cell(0, 0).cost = 0;
        for (std::size_t byte = 0; byte <= text_.size(); ++byte) {
            for (std::size_t chunk = 0; chunk <= answer_.size(); ++chunk)
                leave(chunk, byte);
        }
        std::size_t last = answer_.size();
        for (std::size_t chunk = 0; !finished && chunk < answer_.size(); ++chunk) {
            if (cell(chunk, text_.size()).cost < cell(last, text_.size()).cost)
                last = chunk;
        }
        return read_back(last);
    }

private:
    // A token lost costs more than any tie, a foreign byte more than any explanation by tokens.
    static constexpr std::uint64_t token_cost = 1;
    static constexpr std::uint64_t foreign_cost = 100'000;

    Cell& cell(std::size_t chunk, std::size_t byte) {
        return cells_[byte * (answer_.size() + 1) + chunk];
    }

    void leave(std::size_t chunk, std::size_t byte) {
        const std::uint64_t cost = cell(chunk, byte).cost;
        if (cost == std::numeric_limits<std::uint64_t>::max())
            return;
        const std::string_view rest = text_.substr(byte);
        if (chunk < answer_.size()) {
            const EngineChunk& next = answer_[chunk];
            const auto bytes = static_cast<std::uint32_t>(next.text.size());
            if (rest.starts_with(next.text)) {
                reach(chunk + 1, byte + bytes, {cost, next.tokens, bytes, Move::deliver});
            }
            const std::uint64_t loss = std::max<std::uint64_t>(next.tokens, 1) * token_cost;
            reach(chunk + 1, byte, {cost + loss, next.tokens, 0, Move::lose});
        }
        for (const std::size_t length : lengths_) {
            if (length > rest.size())
                break;
            const auto found = said_.find(rest.substr(0, length));
            if (found == said_.end())
                continue;
            const std::uint64_t extra = std::max<std::uint64_t>(found->second, 1) * token_cost;
            reach(chunk, byte + length,
                  {cost + extra, found->second, static_cast<std::uint32_t>(length), Move::repeat});
        }
        if (!rest.empty())
            reach(chunk, byte + 1, {cost + foreign_cost, 0, 1, Move::foreign});
    }

    void reach(std::size_t chunk, std::size_t byte, const Cell& by) {
        Cell& target = cell(chunk, byte);
        if (by.cost < target.cost)
            target = by;
    }

    TextAlignment read_back(std::size_t chunk) {
        TextAlignment result;
        result.first_difference = text_.size();
        std::size_t byte = text_.size();
        while (chunk > 0 || byte > 0) {
            const Cell& by = cell(chunk, byte);
            byte -= by.bytes;
            switch (by.move) {
                case Move::deliver:
                    result.delivered += by.tokens;
                    --chunk;
                    continue;
                case Move::lose:
                    result.lost += std::max<std::uint32_t>(by.tokens, 1);
                    --chunk;
                    break;
                case Move::repeat:
                    result.duplicated += std::max<std::uint32_t>(by.tokens, 1);
                    break;
                case Move::foreign:
                    ++result.foreign_bytes;
                    break;
                case Move::none:
                    result.judged = false;
                    return result;
            }
            result.first_difference = byte;
        }
        return result;
    }

    std::string_view text_;
    const std::vector<EngineChunk>& answer_;
    std::vector<Cell> cells_;
    std::unordered_map<std::string_view, std::uint32_t> said_;
    std::set<std::size_t> lengths_;
};

// The way nearly all answers go: nothing differs.
std::optional<TextAlignment> align_undisturbed(std::string_view text,
                                               const std::vector<EngineChunk>& answer,
                                               bool finished) {
    TextAlignment result;
    result.first_difference = text.size();
    std::size_t byte = 0;
    for (const EngineChunk& chunk : answer) {
        // Tokens without text at the end of an unfinished answer are with nobody.
        if (!finished && byte == text.size())
            return result;
        if (!text.substr(byte).starts_with(chunk.text))
            return std::nullopt;
        byte += chunk.text.size();
        result.delivered += chunk.tokens;
    }
    return byte == text.size() ? std::optional(result) : std::nullopt;
}

}  // namespace

ResumeAlignment align_resume(const std::vector<PromptPart>& resumed,
                             const std::vector<EngineChunk>& answer) {
    const PromptWalk walk(resumed, answer);
    ResumeAlignment result;
    Place place;
    while (place.part < resumed.size()) {
        if (const auto next = walk.step(place)) {
            place = *next;
            continue;
        }
        const auto again = walk.find_again(place);
        if (!again) {
            result.surplus += resumed.size() - place.part;
            break;
        }
        result.surplus += again->part - place.part;
        for (std::size_t chunk = place.chunk; chunk < again->chunk; ++chunk)
            result.passed_over += std::max<std::uint32_t>(answer[chunk].tokens, 1);
        place = *again;
    }
    result.kept.assign(answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(place.chunk));
    if (place.offset > 0) {
        EngineChunk part = answer[place.chunk];
        part.text.resize(place.offset);
        result.kept.push_back(std::move(part));
    }
    return result;
}

TextAlignment align_text(std::string_view text, const std::vector<EngineChunk>& answer,
                         bool finished, const std::vector<EngineChunk>& said) {
    if (auto undisturbed = align_undisturbed(text, answer, finished))
        return *undisturbed;
    if ((answer.size() + 1) * (text.size() + 1) > pairs_max) {
        TextAlignment result;
        result.judged = false;
        return result;
    }
    return TextWalk(text, answer, said).run(finished);
}

}  // namespace idlewatt::cli
