// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// To which fleet each car belongs, by the proofs in announcements: each proof's signature is
// checked once and remembered, because it comes back every second. A value.
#pragma once

#include <string>
#include <unordered_map>

#include "base/time.hpp"
#include "core/announcement.hpp"
#include "core/id.hpp"

namespace idlewatt::gateway {

inline constexpr std::size_t memberships_max = 2'000'000;

class MembershipBook {
public:
    // Without an account key no proof is believed.
    explicit MembershipBook(std::string account_public_key)
        : account_public_key_(std::move(account_public_key)) {}

    // Empty: the car has proven none.
    [[nodiscard]] std::string fleet_of(const core::Announcement& announcement, base::WallTime now);

private:
    struct Proven {
        std::string membership;
        std::string fleet;  // empty: the proof is none
        base::WallTime expires_at;
    };
    std::string account_public_key_;
    std::unordered_map<core::VehicleId, Proven> proven_;
};

}  // namespace idlewatt::gateway
