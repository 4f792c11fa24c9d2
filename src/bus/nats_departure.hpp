// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Reads the server's word that a connection has ended. Internal to the module.
#pragma once

#include <optional>
#include <string_view>

#include "bus/bus.hpp"

namespace idlewatt::bus {

inline constexpr std::string_view departure_subject = "$SYS.ACCOUNT.*.DISCONNECT";

// Nothing for a message that is no such word, or whose user has no name in its JWT. The payload
// holds the user's whole JWT: never log it.
[[nodiscard]] std::optional<Departure> parse_departure(std::string_view payload);

}  // namespace idlewatt::bus
