// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Two ways to read what cars say: a quick one for words and their end, and the library's for all.
// Only for the sources and tests of this module.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "core/stream.hpp"

namespace idlewatt::wire {

inline constexpr std::size_t from_car_bytes_max = 1024 * 1024;

// What the library's reader says of these bytes, or nothing: ask that one.
[[nodiscard]] std::optional<core::FromCar> read_from_car(std::string_view bytes);

[[nodiscard]] base::Result<core::FromCar> read_from_car_by_library(std::string_view bytes);

}  // namespace idlewatt::wire
