// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What requests of all kinds have in common: bytes from strangers become a tree of bounded size,
// and the fields that mean the same everywhere are checked by one hand. The order of members is
// kept, because a schema's order is the order of the answer. Only for the sources of this module.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "wire/api_error.hpp"
#include "wire/api_request.hpp"

namespace idlewatt::wire {

using RequestJson = nlohmann::ordered_json;
using Objection = std::optional<ApiError>;

// Finding a member is linear, so an object's members are bounded too, and the time that a whole
// body may take: some tens of milliseconds at worst.
inline constexpr std::size_t request_members_max = 1024;
inline constexpr std::size_t request_comparisons_max = 8'000'000;

// At most 16 MiB of UTF-8, one JSON object, within the bounds of api_request.hpp, no member of the
// outermost object twice.
[[nodiscard]] tl::expected<RequestJson, ApiError> parse_request_tree(std::string_view body);

// Null when the field is absent or null: both mean the default.
[[nodiscard]] const RequestJson* field(const RequestJson& object, std::string_view name);

// "'n' must be … , not …." without repeating a prompt.
[[nodiscard]] ApiError wrong(const std::string& parameter, const std::string& expected,
                             const RequestJson* found);
// The same of a choice among few words, which may be repeated.
[[nodiscard]] ApiError wrong_word(const std::string& parameter, const std::string& expected,
                                  const RequestJson* found);
[[nodiscard]] ApiError unsupported(const std::string& parameter, const std::string& what);

[[nodiscard]] Objection check_boolean(const RequestJson& object, const char* name);
[[nodiscard]] bool is_true(const RequestJson& object, const char* name);
[[nodiscard]] bool is_whole(const RequestJson& value, std::int64_t min, std::int64_t max);
[[nodiscard]] bool is_one_of(const RequestJson& value, std::span<const std::string_view> names);
// 1 to 64 of [a-zA-Z0-9_-]
[[nodiscard]] bool is_function_name(const RequestJson& value);

// model, data_class, user and the like
[[nodiscard]] Objection read_addressing(const RequestJson& document, ApiRequest& request);
// temperature, top_p, penalties, stop, seed, logit_bias
[[nodiscard]] Objection read_sampling(const RequestJson& document, ApiRequest& request);
// n, stream, stream_options, service_tier
[[nodiscard]] Objection read_delivery(const RequestJson& document, ApiRequest& request);
// max_completion_tokens and max_tokens
[[nodiscard]] Objection read_token_limit(const RequestJson& document, ApiRequest& request);

// Appends n works made of the document, each for one choice, with seeds that differ.
[[nodiscard]] Objection append_works(RequestJson& document, ApiRequest& request);
[[nodiscard]] std::string dump(const RequestJson& json);

}  // namespace idlewatt::wire
