// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Where an answer stands: what the client has already been sent, in the form in which an engine
// can go on from it. Engines do not name the id of every token that they stream (bytes of a
// character, a possible stop word), so an answer is a row of exact ids and stretches of text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace idlewatt::core {

using TokenIds = std::vector<std::int32_t>;

struct ResumePoint {
    using Segment = std::variant<TokenIds, std::string>;

    std::vector<Segment> segments;
    std::uint32_t tokens = 0;  // generated so far, as the engines counted them
    // What a reasoning model thought before the text began: it goes on with the same thoughts.
    std::string reasoning{};

    [[nodiscard]] bool empty() const {
        return tokens == 0 && segments.empty() && reasoning.empty();
    }

    // Adds a piece of the answer: its ids if they are all known, else its text. Text may come
    // without a token of its own: held back, and let go after its token was counted.
    void append(const TokenIds& ids, std::string_view text, std::uint32_t token_count);

    friend bool operator==(const ResumePoint&, const ResumePoint&) = default;
};

}  // namespace idlewatt::core
