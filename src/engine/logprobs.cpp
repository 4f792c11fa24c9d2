// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/logprobs.hpp"

#include <algorithm>
#include <utility>

#include "engine/engine_json.hpp"

namespace idlewatt::engine {

namespace {

// OpenAI's number for "very unlikely"; an engine says null or less.
constexpr double very_unlikely = -9999.0;

Json entry(const Json& from) {
    const Json& logprob = member(from, "logprob");
    const Json& bytes = member(from, "bytes");
    return {{"token", text_of(member(from, "token"))},
            {"logprob",
             logprob.is_number() ? std::max(logprob.get<double>(), very_unlikely) : very_unlikely},
            {"bytes", bytes.is_array() ? bytes : Json()}};
}

}  // namespace

void HeldLogprobs::append(std::string_view entries_json, std::uint32_t top) {
    const Json entries = Json::parse(entries_json, nullptr, false);
    if (!entries.is_array())
        return;
    for (const Json& from : entries) {
        Json made = entry(from);
        Json& others = made["top_logprobs"] = Json::array();
        const Json& all = member(from, "top_logprobs");
        for (std::size_t i = 0; all.is_array() && i < std::min<std::size_t>(all.size(), top); ++i)
            others.push_back(entry(all[i]));
        std::string text = dump(made);
        if (text.size() + 2 > logprobs_piece_bytes)
            text = dump(entry(Json::object()));  // no token is that long
        bytes_ += text.size();
        if (open_.empty() || open_.back().size() + text.size() + 2 > logprobs_piece_bytes) {
            open_.push_back('[' + text);
        } else {
            open_.back() += ',' + text;
        }
    }
}

std::vector<std::string> HeldLogprobs::take() {
    for (std::string& array : open_)
        array += ']';
    bytes_ = 0;
    return std::exchange(open_, {});
}

}  // namespace idlewatt::engine
