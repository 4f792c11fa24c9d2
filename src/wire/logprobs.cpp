// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/logprobs.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <nlohmann/json.hpp>

namespace idlewatt::wire {

namespace {

using Json = nlohmann::ordered_json;

// What OpenAI says of a token outside of all that was considered; JSON knows no infinity.
constexpr double very_unlikely = -9999.0;

double logprob_of(const Json& entry) {
    const auto found = entry.find("logprob");
    if (found == entry.end() || !found->is_number())
        return very_unlikely;
    const auto value = found->get<double>();
    return std::isfinite(value) ? std::clamp(value, very_unlikely, 0.0) : very_unlikely;
}

std::string token_of(const Json& entry) {
    const auto found = entry.find("token");
    return found != entry.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Json bytes_of(const Json& entry) {
    const auto found = entry.find("bytes");
    if (found == entry.end() || !found->is_array())
        return nullptr;
    const auto is_byte = [](const Json& value) {
        return value.is_number_unsigned() && value.get<std::uint64_t>() < 256;
    };
    return std::ranges::all_of(*found, is_byte) ? *found : Json(nullptr);
}

// A character whose bytes are spread over several tokens counts once, with the first of them.
std::uint64_t characters_of(const Json& entry, std::string_view token) {
    const Json bytes = bytes_of(entry);
    if (!bytes.is_array())
        return characters(token);
    return static_cast<std::uint64_t>(std::ranges::count_if(
        bytes, [](const Json& byte) { return (byte.get<unsigned>() & 0xC0U) != 0x80U; }));
}

// The alternatives of a token that are objects, at most so many.
std::vector<const Json*> top_of(const Json& entry, std::uint32_t top_max) {
    std::vector<const Json*> top;
    const auto found = entry.find("top_logprobs");
    if (found == entry.end() || !found->is_array())
        return top;
    for (const Json& alternative : *found) {
        if (top.size() == top_max)
            break;
        if (alternative.is_object())
            top.push_back(&alternative);
    }
    return top;
}

template <class Take>
void for_each_entry(std::span<const std::string> arrays, Take take) {
    for (const std::string& text : arrays) {
        const Json array = Json::parse(text, nullptr, false);
        if (!array.is_array())
            continue;
        for (const Json& entry : array) {
            if (entry.is_object())
                take(entry);
        }
    }
}

Json rewritten(const Json& entry) {
    return {{"token", token_of(entry)}, {"logprob", logprob_of(entry)}, {"bytes", bytes_of(entry)}};
}

void append(std::string& out, const Json& json) {
    out += json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void append_chat_logprobs(std::string& out, std::span<const std::string> arrays,
                          std::uint32_t top_max) {
    Json content = Json::array();
    for_each_entry(arrays, [&](const Json& entry) {
        Json one = rewritten(entry);
        Json& top = one["top_logprobs"] = Json::array();
        for (const Json* alternative : top_of(entry, top_max))
            top.push_back(rewritten(*alternative));
        content.push_back(std::move(one));
    });
    if (content.empty()) {
        out += "null";
        return;
    }
    append(out, {{"content", std::move(content)}, {"refusal", nullptr}});
}

std::uint64_t append_completion_logprobs(std::string& out, std::span<const std::string> arrays,
                                         std::uint32_t top_max, std::uint64_t text_offset) {
    Json tokens = Json::array();
    Json token_logprobs = Json::array();
    Json top_logprobs = Json::array();
    Json text_offsets = Json::array();
    for_each_entry(arrays, [&](const Json& entry) {
        std::string token = token_of(entry);
        text_offsets.push_back(text_offset);
        text_offset += characters_of(entry, token);
        tokens.push_back(std::move(token));
        token_logprobs.push_back(logprob_of(entry));
        Json top = Json::object();
        for (const Json* alternative : top_of(entry, top_max))
            top.emplace(token_of(*alternative), logprob_of(*alternative));
        top_logprobs.push_back(std::move(top));
    });
    if (tokens.empty()) {
        out += "null";
        return text_offset;
    }
    append(out, {{"tokens", std::move(tokens)},
                 {"token_logprobs", std::move(token_logprobs)},
                 {"top_logprobs", top_max == 0 ? Json(nullptr) : std::move(top_logprobs)},
                 {"text_offset", std::move(text_offsets)}});
    return text_offset;
}

std::uint64_t characters(std::string_view text) {
    return static_cast<std::uint64_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace idlewatt::wire
