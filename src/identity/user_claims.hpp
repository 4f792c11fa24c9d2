// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a user JWT of the cell says, once its signature has been checked: for gateways' batches and
// for cars that fetch a model over HTTP. The text comes from strangers: bounds first, then the
// signature, and only then is it read. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace idlewatt::identity {

inline constexpr std::size_t user_jwt_bytes_max = 4096;
inline constexpr std::size_t user_name_bytes_max = 128;
inline constexpr std::size_t user_tags_max = 16;

struct UserClaims {
    std::string name;        // letters, digits, _ and -: a vehicle's id, say
    std::string public_key;  // U…
    base::WallTime issued_at;
    std::optional<base::WallTime> expires_at;  // absent: never
    std::vector<std::string> tags;
    [[nodiscard]] bool has_tag(std::string_view tag) const;
    friend bool operator==(const UserClaims&, const UserClaims&) = default;
};

// bad_input: not a user JWT; denied: not signed by this account, or expired. Revocations are the
// caller's to look up.
[[nodiscard]] base::Result<UserClaims> verify_user_jwt(std::string_view jwt,
                                                       std::string_view account_public_key,
                                                       base::WallTime now);

}  // namespace idlewatt::identity
