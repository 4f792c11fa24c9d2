// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Several messages of a car to a gateway, about one attempt, in one message of the bus: what a
// message costs on its way hardly depends on its length. Pure; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace idlewatt::wire {

inline constexpr std::size_t bundle_messages_max = 64;
inline constexpr std::size_t bundle_bytes_max = 1024 * 1024 - 4096;

// Of encoded FromCar messages, in their order; one alone stays as it is.
[[nodiscard]] std::string bundle(std::span<const std::string> messages);

// The messages as they were, undecoded; of bytes that are no bundle the bytes themselves.
[[nodiscard]] base::Result<std::vector<std::string_view>> unbundle(std::string_view bytes);

}  // namespace idlewatt::wire
