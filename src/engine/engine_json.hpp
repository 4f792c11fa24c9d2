// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The little that all readers and writers of an engine's JSON share. Only for the sources of this
// module.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/result.hpp"

namespace idlewatt::engine {

// The order of members is kept: a schema's order is the order of the answer.
using Json = nlohmann::ordered_json;

// What is not UTF-8 is replaced.
[[nodiscard]] inline std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Null if there is no object or no such member.
[[nodiscard]] const Json& member(const Json& object, const char* name);
[[nodiscard]] std::string text_of(const Json& value);             // empty: no text
[[nodiscard]] std::uint32_t count_of(const Json& value);          // 0: no whole number
[[nodiscard]] bool is_set(const Json& object, const char* name);  // there and not null

[[nodiscard]] inline tl::unexpected<base::Error> bad(std::string message) {
    return base::fail(base::ErrorKind::bad_input, std::move(message));
}

// Whole numbers that fit a token id; nothing else is a list of tokens.
[[nodiscard]] bool is_tokens(const Json& value);

}  // namespace idlewatt::engine
