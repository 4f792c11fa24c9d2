// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/encoding.hpp"

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::base {
namespace {

TEST(Encoding, says_what_the_standards_say) {
    EXPECT_EQ(to_hex("\x01\xaf"), "01af");
    EXPECT_EQ(to_base32("foobar"), "MZXW6YTBOI");
    EXPECT_EQ(to_base64url("fo"), "Zm8");
    EXPECT_EQ(to_base64url("\xff\xfe"), "__4");
    EXPECT_EQ(from_base64url(""), "");
}

TEST(Encoding, every_text_means_one_thing) {
    Prng prng(1);
    for (int i = 0; i < 20'000; ++i) {
        std::string bytes(prng.below(40), '\0');
        for (char& c : bytes)
            c = static_cast<char>(prng.below(256));
        EXPECT_EQ(from_hex(to_hex(bytes)), bytes);
        EXPECT_EQ(from_base32(to_base32(bytes)), bytes);
        EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
        // Whatever can be read is what would have been written.
        if (const auto read = from_hex(bytes)) {
            EXPECT_EQ(to_hex(*read), bytes);
        }
        if (const auto read = from_base32(bytes)) {
            EXPECT_EQ(to_base32(*read), bytes);
        }
        if (const auto read = from_base64url(bytes)) {
            EXPECT_EQ(to_base64url(*read), bytes);
        }
    }
    for (const char* bad : {"A", "Zm9=", "Zm8.", "Zm9", "AB"}) {
        EXPECT_FALSE(from_base64url(bad).has_value()) << bad;
    }
    EXPECT_FALSE(from_hex("0").has_value());
    EXPECT_FALSE(from_hex("AF").has_value());
}

}  // namespace
}  // namespace idlewatt::base
