// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/memory_answer.hpp"

#include <algorithm>
#include <array>

#include "engine/engine_json.hpp"
#include "engine/memory_engine.hpp"
#include "engine/memory_hash.hpp"
#include "engine/memory_request.hpp"

namespace idlewatt::engine {

namespace {

constexpr std::uint32_t own_tokens_min = 20;
constexpr std::uint32_t own_tokens_span = 180;
constexpr std::uint64_t vocabulary = 32'000;

}  // namespace

MemoryAnswer MemoryAnswer::to(std::string_view request_json, core::Task task) {
    MemoryAnswer answer;
    answer.seed_ = memory_mix(memory_hash(request_json));
    MemoryRequest request = read_memory_request(request_json, task, answer.seed_);
    answer.complaint_ = std::move(request.complaint);
    answer.reasoning_tokens_ = request.reasoning_tokens;
    answer.calls_demanded_ = request.calls_demanded;
    answer.logprobs_ = request.top_logprobs.has_value();
    answer.top_logprobs_ = request.top_logprobs.value_or(0);
    if (!request.calls.empty()) {
        answer.call_tokens_ = request.call_tokens;
        answer.calls_ =
            std::make_shared<const std::vector<core::ToolCall>>(std::move(request.calls));
    }
    if (request.form) {
        answer.form_ = std::make_shared<const std::vector<std::string>>(std::move(*request.form));
    }
    const std::uint32_t own =
        own_tokens_min + static_cast<std::uint32_t>(answer.seed_ % own_tokens_span);
    answer.tokens_ = answer.reasoning_tokens_ + answer.call_tokens_ +
                     (request.form          ? static_cast<std::uint32_t>(answer.form_->size())
                      : request.calls_asked ? request.words_before_calls
                                            : own);
    // Words go on for as long as they may; what has an end of its own ends there.
    const bool endless = !request.form && !request.calls_asked;
    if (request.tokens_max && (endless || *request.tokens_max < answer.tokens_)) {
        answer.tokens_ = *request.tokens_max;
        answer.cut_ = true;
    }
    return answer;
}

std::uint32_t MemoryAnswer::reasoning_tokens() const {
    return std::min(reasoning_tokens_, tokens_);
}

std::string MemoryAnswer::reasoning() const {
    std::string all;
    for (std::uint32_t position = 0; position < reasoning_tokens(); ++position)
        all += word(position);
    return all;
}

std::uint32_t MemoryAnswer::text_end() const {
    // A call that is demanded is never text, however little there is of it.
    if (calls_demanded_)
        return reasoning_tokens();
    // A cut takes from the end: first from the calls.
    return cut_ ? tokens_ : tokens_ - call_tokens_;
}

std::vector<core::ToolCall> MemoryAnswer::calls() const {
    return cut_ || !calls_ ? std::vector<core::ToolCall>() : *calls_;
}

std::string MemoryAnswer::text(std::uint32_t position) const {
    if (position < reasoning_tokens_)
        return {};
    if (!form_)
        return call_tokens_ != 0 && position >= text_end() ? std::string() : word(position);
    const std::uint32_t index = position - reasoning_tokens_;
    return index < form_->size() ? (*form_)[index] : std::string();
}

std::string MemoryAnswer::word(std::uint32_t position) const {
    static constexpr std::array<const char*, 16> starts = {"ba", "de", "fi", "go", "hu", "ja",
                                                           "ke", "li", "mo", "nu", "pa", "re",
                                                           "si", "to", "vu", "ze"};
    static constexpr std::array<const char*, 8> ends = {"", "n", "r", "s", "l", "m", "k", "t"};
    static constexpr std::array<const char*, 4> wide = {"é", "ß", "語", "😀"};
    const std::uint64_t h = memory_mix(seed_ ^ memory_mix(position));
    if (h % 23 == 0)
        return wide[(h >> 8) % wide.size()];
    return std::string(h % 5 == 0 ? "" : " ") + starts[(h >> 8) % starts.size()] +
           starts[(h >> 16) % starts.size()] + ends[(h >> 24) % ends.size()];
}

std::int32_t MemoryAnswer::id(std::uint32_t position) const {
    return static_cast<std::int32_t>(memory_mix(~seed_ ^ memory_mix(position)) % vocabulary);
}

std::string MemoryAnswer::logprobs(std::uint32_t position, std::uint32_t count) const {
    if (!logprobs_)
        return {};
    const auto entry = [](const std::string& token, double logprob) {
        Json bytes = Json::array();
        for (const char c : token)
            bytes.push_back(static_cast<unsigned char>(c));
        return Json{{"token", token}, {"logprob", logprob}, {"bytes", std::move(bytes)}};
    };
    Json list = Json::array();
    for (std::uint32_t i = position; i < position + count; ++i) {
        const double logprob = -static_cast<double>(memory_mix(seed_ + i) % 1000) / 500.0;
        Json made = entry(text(i), logprob);
        Json& others = made["top_logprobs"] = Json::array();
        for (std::uint32_t other = 0; other < top_logprobs_; ++other) {
            others.push_back(other == 0 ? entry(text(i), logprob)
                                        : entry(astray(other).word(i), logprob - other));
        }
        list.push_back(std::move(made));
    }
    return dump(list);
}

MemoryAnswer MemoryAnswer::astray(std::uint64_t by) const {
    MemoryAnswer other = *this;
    other.seed_ = memory_mix(seed_ ^ memory_mix(by + 1));
    other.form_.reset();
    return other;
}

MemoryAnswer MemoryAnswer::resumed(const core::ResumePoint& resume) const {
    std::uint32_t position = std::min(reasoning_tokens_, resume.tokens);
    bool fits = resume.reasoning.empty() || resume.reasoning == reasoning();
    std::uint64_t seen = memory_hash(resume.reasoning);
    for (const auto& segment : resume.segments) {
        if (const auto* ids = std::get_if<core::TokenIds>(&segment)) {
            for (const std::int32_t token : *ids) {
                fits = fits && token == id(position);
                seen = memory_mix(seen ^ static_cast<std::uint32_t>(token));
                ++position;
            }
            continue;
        }
        std::string_view rest = std::get<std::string>(segment);
        seen = memory_hash(rest, seen);
        while (fits && !rest.empty()) {
            const std::string next = text(position++);
            fits = !next.empty() && rest.starts_with(next);
            rest.remove_prefix(std::min(next.size(), rest.size()));
        }
    }
    // Calls are whole or not there, and have no text.
    const bool behind_calls = position == text_end() && resume.tokens == tokens_;
    return fits && (position == resume.tokens || behind_calls) ? *this : astray(seen);
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

std::string memory_answer(std::string_view request_json, core::Task task) {
    const MemoryAnswer answer = MemoryAnswer::to(request_json, task);
    std::string all;
    for (std::uint32_t position = 0; position < answer.tokens(); ++position) {
        all += answer.text(position);
    }
    return all;
}

}  // namespace idlewatt::engine
