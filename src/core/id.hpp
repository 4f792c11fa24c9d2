// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Names of things. All of them stand in NATS subjects and file names, so each is a token: 1 to 64
// characters of [a-z0-9_-].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/named_type.hpp"
#include "base/prng.hpp"
#include "base/time.hpp"

namespace idlewatt::core {

using VehicleId = base::NamedType<std::string, struct VehicleIdTag>;
using GatewayId = base::NamedType<std::string, struct GatewayIdTag>;
// One answer that a client waits for.
using WorkId = base::NamedType<std::string, struct WorkIdTag>;
// One try at a work item by one car.
using AttemptId = base::NamedType<std::string, struct AttemptIdTag>;
using ReceiptId = base::NamedType<std::string, struct ReceiptIdTag>;
// One run of an agent's process; a restarted agent has a larger one.
using Incarnation = base::NamedType<std::uint64_t, struct IncarnationTag>;

inline constexpr std::size_t id_bytes_max = 64;

[[nodiscard]] bool is_id(std::string_view text);

// 48 bits of milliseconds, then 80 random bits, as 32 hexadecimal digits: ids made later sort
// later, which keeps database inserts at the end of the index.
[[nodiscard]] std::string make_time_ordered_id(base::WallTime now, base::Prng& prng);

}  // namespace idlewatt::core
