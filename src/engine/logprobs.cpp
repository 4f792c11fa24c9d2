// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/logprobs.hpp"

#include <algorithm>

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

void append_logprobs(Json& list, const Json& entries, std::uint32_t top) {
    if (!list.is_array())
        list = Json::array();
    if (!entries.is_array())
        return;
    for (const Json& from : entries) {
        Json made = entry(from);
        Json& others = made["top_logprobs"] = Json::array();
        const Json& all = member(from, "top_logprobs");
        for (std::size_t i = 0; all.is_array() && i < std::min<std::size_t>(all.size(), top); ++i)
            others.push_back(entry(all[i]));
        list.push_back(std::move(made));
    }
}

std::string logprobs_json(const Json& list) {
    return list.is_array() && !list.empty() ? dump(list) : std::string();
}

}  // namespace idlewatt::engine
