// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "core/resume_point.hpp"

namespace idlewatt::core {

void ResumePoint::append(const TokenIds& ids, std::string_view text, std::uint32_t token_count) {
    tokens += token_count;
    if (!ids.empty() && ids.size() == token_count) {
        if (segments.empty() || !std::holds_alternative<TokenIds>(segments.back())) {
            segments.emplace_back(TokenIds{});
        }
        TokenIds& tail = std::get<TokenIds>(segments.back());
        tail.insert(tail.end(), ids.begin(), ids.end());
        return;
    }
    if (text.empty())
        return;
    if (segments.empty() || !std::holds_alternative<std::string>(segments.back())) {
        segments.emplace_back(std::string{});
    }
    std::get<std::string>(segments.back()).append(text);
}

}  // namespace idlewatt::core
