// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "identity/membership.hpp"

#include <array>
#include <charconv>
#include <cstdint>

#include "base/assert.hpp"
#include "base/encoding.hpp"

namespace idlewatt::identity {

namespace {

// Begins what is signed, so that a signature of the account under anything else (a JWT begins with
// "eyJ") is none under a membership.
constexpr std::string_view mark = "iwm1";
constexpr std::size_t parts = 5;
constexpr std::int64_t micros_per_second = 1'000'000;

constexpr std::int64_t expires_s_max = INT64_MAX / micros_per_second;

static_assert(mark.size() + 2 * core::id_bytes_max + 20 + 86 + parts <= core::membership_bytes_max);

tl::unexpected<base::Error> malformed() {
    return base::fail(base::ErrorKind::bad_input,
                      "not a membership: expected iwm1.<vehicle>.<fleet>.<seconds>.<signature>; "
                      "the car gets one when it enrols or renews");
}

}  // namespace

std::string mint_membership(const KeyPair& account, const Membership& membership) {
    IDLEWATT_ASSERT(core::is_id(membership.vehicle.value) && core::is_id(membership.fleet));
    std::string text(mark);
    text.append(".").append(membership.vehicle.value).append(".").append(membership.fleet);
    text.append(".").append(std::to_string(membership.expires_at.us / micros_per_second));
    const std::string signature = base::to_base64url(account.sign(text));
    return text + '.' + signature;
}

base::Result<Membership> verify_membership(std::string_view text,
                                           std::string_view account_public_key,
                                           base::WallTime now) {
    if (text.size() > core::membership_bytes_max)
        return malformed();
    std::array<std::string_view, parts> part;
    std::string_view rest = text;
    for (std::size_t i = 0; i < parts; ++i) {
        const std::size_t dot = rest.find('.');
        if ((dot == std::string_view::npos) != (i + 1 == parts))
            return malformed();
        part[i] = rest.substr(0, dot);
        if (dot != std::string_view::npos)
            rest.remove_prefix(dot + 1);
    }
    std::int64_t expires_s = 0;
    const auto [end, error] =
        std::from_chars(part[3].data(), part[3].data() + part[3].size(), expires_s);
    if (part[0] != mark || !core::is_id(part[1]) || !core::is_id(part[2]) || error != std::errc{} ||
        end != part[3].data() + part[3].size() || expires_s < 0 || expires_s > expires_s_max) {
        return malformed();
    }
    const auto signature = base::from_base64url(part[4]);
    const std::string_view is_signed = text.substr(0, text.size() - part[4].size() - 1);
    if (!signature || !verify(account_public_key, is_signed, *signature)) {
        return base::fail(base::ErrorKind::denied,
                          "the membership is not signed by this cell's account");
    }
    Membership membership{core::VehicleId(std::string(part[1])), std::string(part[2]),
                          base::WallTime{expires_s * micros_per_second}};
    if (membership.expires_at <= now) {
        return base::fail(base::ErrorKind::denied,
                          "the membership has expired; the car gets another when it renews");
    }
    return membership;
}

}  // namespace idlewatt::identity
