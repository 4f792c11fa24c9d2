// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "identity/secret.hpp"

#include <set>

#include <gtest/gtest.h>

namespace idlewatt::identity {
namespace {

TEST(Secret, the_hash_is_sha_256) {
    EXPECT_EQ(sha256_hex("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Secret, has_its_prefix_and_256_bits_and_is_never_the_same) {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const std::string secret = random_secret();
        EXPECT_EQ(secret.size(), 3U + 52U);
        EXPECT_TRUE(secret.starts_with("iw-"));
        EXPECT_EQ(secret.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", 3), secret.npos);
        EXPECT_TRUE(seen.insert(secret).second);
    }
    EXPECT_TRUE(random_secret(enrolment_token_prefix).starts_with("iwt-"));
    EXPECT_NE(random_seed(), random_seed());
}

TEST(Secret, comparison_says_what_equality_says) {
    EXPECT_TRUE(equal_in_constant_time("", ""));
    EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
    EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
    EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
}

}  // namespace
}  // namespace idlewatt::identity
