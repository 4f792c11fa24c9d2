// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Small valid JSON for a schema, as the in-memory twin says it: a pure function of schema and seed.
#pragma once

#include <cstdint>
#include <string>

#include "engine/engine_json.hpp"

namespace idlewatt::engine {

// Knows type, const, enum, properties, items, anyOf, oneOf, allOf, $ref within the schema, and the
// bounds of lengths and numbers. A pattern is beyond it.
[[nodiscard]] Json example_of(const Json& schema, std::uint64_t seed);

}  // namespace idlewatt::engine
