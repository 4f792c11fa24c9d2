// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Who may ask what of the fleet. The secret itself is shown once, when it is made; what is kept is
// its SHA-256, which is enough because the secret is 256 random bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/named_type.hpp"
#include "base/time.hpp"

namespace idlewatt::core {

using KeyId = base::NamedType<std::string, struct KeyIdTag>;

enum class KeyRole {
    customer,        // /v1 only
    fleet_operator,  // everything: cars, models, keys
    analyst,         // /v1/models and all that only reads under /api/v1
};
[[nodiscard]] std::string_view name(KeyRole role);
[[nodiscard]] std::optional<KeyRole> key_role(std::string_view name);

// Where a prompt may go. Every prompt is readable by whoever holds the car.
enum class DataClass {
    any_car,    // "public": any car of the cell
    own_fleet,  // only cars that belong to the key's fleet
    refuse,     // no car at all: the request is refused
};
[[nodiscard]] std::string_view name(DataClass data_class);
[[nodiscard]] std::optional<DataClass> data_class(std::string_view name);

// 0: no limit.
struct KeyLimits {
    std::uint32_t requests_per_minute = 0;
    std::uint32_t tokens_per_minute = 0;
    std::uint32_t requests_at_once = 0;
    friend bool operator==(const KeyLimits&, const KeyLimits&) = default;
};

inline constexpr std::size_t key_label_bytes_max = 128;
inline constexpr std::size_t fleet_name_bytes_max = 64;

struct ApiKey {
    KeyId id;
    std::string secret_sha256;  // 64 hexadecimal digits
    std::string label;          // for people
    KeyRole role = KeyRole::customer;
    KeyLimits limits;
    // The strictest class wins: the key's or the request's.
    DataClass data_class = DataClass::any_car;
    std::string fleet;  // an id; empty: none
    base::WallTime created_at;
    std::optional<base::WallTime> revoked_at;
    friend bool operator==(const ApiKey&, const ApiKey&) = default;
};

// All keys of a cell as the coordinator handed them out. Gateways use the last one they have, up to
// key_book_age_max.
struct KeyBook {
    std::uint64_t version = 0;  // grows with every change
    base::WallTime issued_at;
    std::vector<ApiKey> keys;
    friend bool operator==(const KeyBook&, const KeyBook&) = default;
};
inline constexpr std::size_t keys_max = 100'000;
inline constexpr base::Duration key_book_age_max = base::minutes(24 * 60);

}  // namespace idlewatt::core
