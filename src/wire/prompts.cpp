// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/prompts.hpp"

#include <algorithm>
#include <limits>

namespace idlewatt::wire {

namespace {

bool is_token(const RequestJson& value) {
    return is_whole(value, 0, std::numeric_limits<std::int32_t>::max());
}

bool is_token_list(const RequestJson& value) {
    return value.is_array() && !value.empty() && std::ranges::all_of(value, is_token);
}

}  // namespace

tl::expected<std::vector<RequestJson>, ApiError> take_prompts(RequestJson& document,
                                                              const char* name,
                                                              std::size_t items_max) {
    const auto found = document.find(name);
    if (found == document.end() || found->is_null()) {
        return tl::unexpected(wrong(name, "a string, an array of strings or token ids", nullptr));
    }
    std::vector<RequestJson> items;
    if (found->is_string() || is_token_list(*found)) {
        items.push_back(std::move(*found));
    } else if (found->is_array() && !found->empty() && found->size() <= items_max) {
        const bool items_are_texts = found->front().is_string();
        for (std::size_t i = 0; i < found->size(); ++i) {
            RequestJson& item = (*found)[i];
            const bool good = item.is_string() || is_token_list(item);
            if (!good || item.is_string() != items_are_texts) {
                return tl::unexpected(wrong(std::string(name) + "[" + std::to_string(i) + "]",
                                            "a string or a list of token ids, as all others",
                                            &item));
            }
            items.push_back(std::move(item));
        }
    } else {
        return tl::unexpected(wrong(
            name,
            "a string, token ids, or an array of 1 to " + std::to_string(items_max) + " of them",
            &*found));
    }
    return items;
}

}  // namespace idlewatt::wire
