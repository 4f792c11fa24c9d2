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
// what is left to it (numbers that are no short integers, halves of surrogate pairs, an object with
// a name twice). The bytes are UTF-8 and no deeper than request_depth_max.
[[nodiscard]] std::optional<RequestJson> read_request(std::string_view bytes);

}  // namespace idlewatt::wire
