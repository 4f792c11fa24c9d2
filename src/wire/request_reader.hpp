// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The quick way from a request's bytes to its tree, for what clients really send. Internal to the
// module.
#pragma once

#include <optional>
#include <string_view>

#include "wire/request_checks.hpp"

namespace idlewatt::wire {

// The very tree that RequestJson::parse makes of these bytes, or nothing: they are no JSON, or hold
// what is left to it (integers that are not short, halves of surrogate pairs, an object with a name
// twice or with many), or more than a request may (request_depth_max, request_values_max). They are
// UTF-8.
[[nodiscard]] std::optional<RequestJson> read_request(std::string_view bytes);

}  // namespace idlewatt::wire
