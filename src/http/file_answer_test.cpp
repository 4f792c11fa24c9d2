// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/file_answer.hpp"

#include <gtest/gtest.h>

namespace idlewatt::http {
namespace {

TEST(Range, OneRangeIsUnderstood) {
    struct Case {
        std::string_view value;
        RangeVerdict verdict;
        ByteRange range;
    };
    using enum RangeVerdict;
    const Case cases[] = {
        {"bytes=0-0", part, {0, 1}},
        {"bytes=0-99", part, {0, 100}},
        {"bytes=5-", part, {5, 95}},
        {"bytes=5-1000", part, {5, 95}},
        {"bytes=-7", part, {93, 7}},
        {"bytes=-1000", part, {0, 100}},
        {" bytes = 1 - 2 ", part, {1, 2}},
        {"bytes=100-", unsatisfiable, {}},
        {"bytes=100-200", unsatisfiable, {}},
        {"bytes=-0", unsatisfiable, {}},
        {"", whole, {}},
        {"bytes", whole, {}},
        {"bytes=", whole, {}},
        {"bytes=-", whole, {}},
        {"bytes=9-5", whole, {}},
        {"bytes=a-5", whole, {}},
        {"bytes=1-2x", whole, {}},
        {"bytes=+1-2", whole, {}},
        {"bytes=1-2,5-6", whole, {}},
        {"lines=1-2", whole, {}},
        {"bytes=99999999999999999999-", whole, {}},
    };
    for (const Case& each : cases) {
        const RangeAsked asked = read_range(each.value, 100);
        EXPECT_EQ(asked.verdict, each.verdict) << each.value;
        EXPECT_EQ(asked.range, each.range) << each.value;
    }
    EXPECT_EQ(read_range("bytes=0-", 0).verdict, RangeVerdict::unsatisfiable);
    EXPECT_EQ(read_range("bytes=-5", 0).verdict, RangeVerdict::unsatisfiable);
}

TEST(Range, WhatAServerSentIsUnderstood) {
    const auto part = read_content_range("bytes 5-9/20");
    ASSERT_TRUE(part && part->range && part->total_bytes);
    EXPECT_EQ(*part->range, (ByteRange{5, 5}));
    EXPECT_EQ(*part->total_bytes, 20U);
    const auto unknown_total = read_content_range("bytes 5-9/*");
    ASSERT_TRUE(unknown_total && unknown_total->range);
    EXPECT_FALSE(unknown_total->total_bytes);
    const auto none = read_content_range("bytes */20");
    ASSERT_TRUE(none && none->total_bytes);
    EXPECT_FALSE(none->range);
    for (const char* bad : {"", "bytes", "bytes 5-9", "bytes 9-5/20", "bytes 5-20/20", "bytes 5/20",
                            "bytes -/20", "bytes a-b/c", "bytes 0-18446744073709551615/*"}) {
        EXPECT_FALSE(read_content_range(bad)) << bad;
    }
}

}  // namespace
}  // namespace idlewatt::http
