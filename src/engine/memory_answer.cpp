// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/memory_answer.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "engine/memory_engine.hpp"

namespace idlewatt::engine {

namespace {

constexpr std::uint32_t own_tokens_min = 20;
constexpr std::uint32_t own_tokens_span = 180;
constexpr std::uint32_t answer_tokens_max = 100'000;
constexpr std::uint64_t vocabulary = 32'000;

std::uint64_t mix(std::uint64_t z) {
    z += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

// FNV-1a.
std::uint64_t hash(std::string_view text, std::uint64_t start = 0xcbf29ce484222325ULL) {
    for (const char c : text) {
        start = (start ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return start;
}

}  // namespace

MemoryAnswer MemoryAnswer::to(std::string_view request_json) {
    MemoryAnswer answer;
    answer.seed_ = mix(hash(request_json));
    answer.tokens_ = own_tokens_min + static_cast<std::uint32_t>(answer.seed_ % own_tokens_span);
    const auto json = nlohmann::json::parse(request_json, nullptr, false);
    answer.readable_ = json.is_object();
    if (!answer.readable_)
        return answer;
    for (const char* name : {"max_completion_tokens", "max_tokens", "n_predict"}) {
        const auto found = json.find(name);
        if (found == json.end() || found->is_null())
            continue;
        if (!found->is_number_integer()) {
            answer.readable_ = false;
        } else if (const auto limit = found->get<std::int64_t>(); limit >= 0) {
            answer.tokens_ =
                static_cast<std::uint32_t>(std::min<std::int64_t>(limit, answer_tokens_max));
            answer.cut_ = true;
        }
        break;
    }
    return answer;
}

std::string MemoryAnswer::text(std::uint32_t position) const {
    static constexpr std::array<const char*, 16> starts = {"ba", "de", "fi", "go", "hu", "ja",
                                                           "ke", "li", "mo", "nu", "pa", "re",
                                                           "si", "to", "vu", "ze"};
    static constexpr std::array<const char*, 8> ends = {"", "n", "r", "s", "l", "m", "k", "t"};
    static constexpr std::array<const char*, 4> wide = {"é", "ß", "語", "😀"};
    const std::uint64_t h = mix(seed_ ^ mix(position));
    if (h % 23 == 0)
        return wide[(h >> 8) % wide.size()];
    return std::string(h % 5 == 0 ? "" : " ") + starts[(h >> 8) % starts.size()] +
           starts[(h >> 16) % starts.size()] + ends[(h >> 24) % ends.size()];
}

std::int32_t MemoryAnswer::id(std::uint32_t position) const {
    return static_cast<std::int32_t>(mix(~seed_ ^ mix(position)) % vocabulary);
}

MemoryAnswer MemoryAnswer::astray(std::uint64_t by) const {
    MemoryAnswer other = *this;
    other.seed_ = mix(seed_ ^ mix(by + 1));
    return other;
}

MemoryAnswer MemoryAnswer::resumed(const core::ResumePoint& resume) const {
    std::uint32_t position = 0;
    bool fits = true;
    std::uint64_t seen = hash("");
    for (const auto& segment : resume.segments) {
        if (const auto* ids = std::get_if<core::TokenIds>(&segment)) {
            for (const std::int32_t token : *ids) {
                fits = fits && token == id(position);
                seen = mix(seen ^ static_cast<std::uint32_t>(token));
                ++position;
            }
            continue;
        }
        std::string_view rest = std::get<std::string>(segment);
        seen = hash(rest, seen);
        while (fits && !rest.empty()) {
            const std::string next = text(position++);
            fits = rest.starts_with(next);
            rest.remove_prefix(std::min(next.size(), rest.size()));
        }
    }
    return fits && position == resume.tokens ? *this : astray(seen);
}

std::string memory_token_text(std::string_view request_json, std::uint32_t position) {
    return MemoryAnswer::to(request_json).text(position);
}

std::int32_t memory_token_id(std::string_view request_json, std::uint32_t position) {
    return MemoryAnswer::to(request_json).id(position);
}

std::uint32_t memory_answer_tokens(std::string_view request_json) {
    return MemoryAnswer::to(request_json).tokens();
}

std::string memory_answer(std::string_view request_json) {
    const MemoryAnswer answer = MemoryAnswer::to(request_json);
    std::string all;
    for (std::uint32_t position = 0; position < answer.tokens(); ++position) {
        all += answer.text(position);
    }
    return all;
}

}  // namespace idlewatt::engine
