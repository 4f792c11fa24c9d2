// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What somebody may have meant who mistyped a name. Pure; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace idlewatt::base {

// Of a name that is longer only so much is compared: the work is bounded.
inline constexpr std::size_t spelling_bytes_max = 64;

// How many letters must be changed, added or left out to make one of the other.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of the names; the first of those that are equally near. There is at least one.
[[nodiscard]] std::string_view nearest(std::string_view text,
                                       std::span<const std::string_view> names);

}  // namespace idlewatt::base
