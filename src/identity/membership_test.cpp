// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "identity/membership.hpp"

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::identity {
namespace {

constexpr base::WallTime membership_now{1'790'000'000'000'000};
const KeyPair fleet_account = KeyPair::for_test(KeyKind::account, 1);
const Membership sample_membership{core::VehicleId("car-1"), "north",
                                   membership_now + base::minutes(60)};

TEST(Membership, comes_back_as_it_was_signed) {
    const std::string text = mint_membership(fleet_account, sample_membership);
    EXPECT_TRUE(text.starts_with("iwm1.car-1.north.1790003600."));
    EXPECT_LE(text.size(), core::membership_bytes_max);
    const auto read = verify_membership(text, fleet_account.public_key(), membership_now);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, sample_membership);
}

TEST(Membership, ends_and_belongs_to_one_account) {
    const std::string text = mint_membership(fleet_account, sample_membership);
    const auto late =
        verify_membership(text, fleet_account.public_key(), sample_membership.expires_at);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, base::ErrorKind::denied);
    const KeyPair other = KeyPair::for_test(KeyKind::account, 2);
    EXPECT_FALSE(verify_membership(text, other.public_key(), membership_now));
    EXPECT_FALSE(verify_membership(text, "", membership_now));
}

// What the fleet_account has signed for another purpose is no membership.
TEST(Membership, is_no_jwt_and_a_jwt_is_none) {
    const std::string jwt =
        mint_user_jwt(fleet_account, KeyPair::for_test(KeyKind::user, 1).public_key(), "car-1", {},
                      membership_now, std::nullopt);
    EXPECT_FALSE(verify_membership(jwt, fleet_account.public_key(), membership_now));
}

TEST(Membership, no_damage_goes_unseen) {
    const std::string text = mint_membership(fleet_account, sample_membership);
    base::Prng prng(1);
    for (int i = 0; i < 20'000; ++i) {
        std::string bad = text;
        const std::size_t at = prng.below(bad.size());
        switch (prng.below(4)) {
            case 0:
                bad[at] = static_cast<char>(prng.below(256));
                break;
            case 1:
                bad.erase(at, 1 + prng.below(4));
                break;
            case 2:
                bad.insert(at, 1, '.');
                break;
            default:
                bad.append(bad.substr(at));
        }
        if (bad != text) {
            EXPECT_FALSE(verify_membership(bad, fleet_account.public_key(), membership_now)) << bad;
        }
    }
    EXPECT_FALSE(
        verify_membership(std::string(5000, '.'), fleet_account.public_key(), membership_now));
    EXPECT_FALSE(verify_membership("", fleet_account.public_key(), membership_now));
}

}  // namespace
}  // namespace idlewatt::identity
