// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Proof that a car belongs to a fleet, signed by the cell's account, for whoever may send a prompt
// only to cars of its own fleet. A car carries it in its announcements. Pure; any thread.
//
//   iwm1.<vehicle>.<fleet>.<expires, in seconds>.<signature, base64url>
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"
#include "core/announcement.hpp"
#include "core/id.hpp"
#include "identity/identity.hpp"

namespace idlewatt::identity {

struct Membership {
    core::VehicleId vehicle;
    std::string fleet;          // an id
    base::WallTime expires_at;  // in whole seconds
    friend bool operator==(const Membership&, const Membership&) = default;
};

// At most core::membership_bytes_max.
[[nodiscard]] std::string mint_membership(const KeyPair& account, const Membership& membership);

// For a text from a stranger. bad_input: not of this form; denied: another account's signature, or
// expired. The caller compares the vehicle with the one that carries it.
[[nodiscard]] base::Result<Membership> verify_membership(std::string_view text,
                                                         std::string_view account_public_key,
                                                         base::WallTime now);

}  // namespace idlewatt::identity
