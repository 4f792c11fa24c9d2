// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/engine_json.hpp"

#include <algorithm>
#include <limits>

namespace idlewatt::engine {

const Json& member(const Json& object, const char* name) {
    static const Json null;
    if (!object.is_object())
        return null;
    const auto found = object.find(name);
    return found == object.end() ? null : *found;
}

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : std::string();
}

std::uint32_t count_of(const Json& value) {
    if (!value.is_number_integer())
        return 0;
    const auto count = value.get<std::int64_t>();
    return count < 0 ? 0U : static_cast<std::uint32_t>(std::min<std::int64_t>(count, UINT32_MAX));
}

bool is_set(const Json& object, const char* name) {
    return !member(object, name).is_null();
}

bool is_tokens(const Json& value) {
    return value.is_array() && !value.empty() &&
           std::all_of(value.begin(), value.end(), [](const Json& token) {
               return token.is_number_integer() && token.get<std::int64_t>() >= 0 &&
                      token.get<std::int64_t>() <= std::numeric_limits<std::int32_t>::max();
           });
}

}  // namespace idlewatt::engine
