// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "identity/membership.hpp"

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::identity {
namespace {

constexpr base::WallTime now{1'790'000'000'000'000};
const KeyPair account = KeyPair::for_test(KeyKind::account, 1);
const Membership sample{core::VehicleId("car-1"), "north", now + base::minutes(60)};

TEST(Membership, comes_back_as_it_was_signed) {
    const std::string text = mint_membership(account, sample);
    EXPECT_TRUE(text.starts_with("iwm1.car-1.north.1790003600."));
    EXPECT_LE(text.size(), core::membership_bytes_max);
    const auto read = verify_membership(text, account.public_key(), now);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, sample);
}

TEST(Membership, ends_and_belongs_to_one_account) {
    const std::string text = mint_membership(account, sample);
    const auto late = verify_membership(text, account.public_key(), sample.expires_at);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, base::ErrorKind::denied);
    const KeyPair other = KeyPair::for_test(KeyKind::account, 2);
    EXPECT_FALSE(verify_membership(text, other.public_key(), now));
    EXPECT_FALSE(verify_membership(text, "", now));
}

// What the account has signed for another purpose is no membership.
TEST(Membership, is_no_jwt_and_a_jwt_is_none) {
    const std::string jwt = mint_user_jwt(account, KeyPair::for_test(KeyKind::user, 1).public_key(),
                                          "car-1", {}, now, std::nullopt);
    EXPECT_FALSE(verify_membership(jwt, account.public_key(), now));
}

TEST(Membership, no_damage_goes_unseen) {
    const std::string text = mint_membership(account, sample);
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
            EXPECT_FALSE(verify_membership(bad, account.public_key(), now)) << bad;
        }
    }
    EXPECT_FALSE(verify_membership(std::string(5000, '.'), account.public_key(), now));
    EXPECT_FALSE(verify_membership("", account.public_key(), now));
}

}  // namespace
}  // namespace idlewatt::identity
