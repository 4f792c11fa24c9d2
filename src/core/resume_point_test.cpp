// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "core/resume_point.hpp"

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::core {
namespace {

// Pieces of all kinds in random order: nothing is lost, nothing changes its place.
TEST(ResumePoint, KeepsEveryPieceInOrder) {
    base::Prng prng(7);
    for (int round = 0; round < 2'000; ++round) {
        ResumePoint point;
        std::vector<std::string> expected;  // one entry a token id, one a stretch of text
        std::uint32_t tokens = 0;
        for (std::uint64_t i = prng.below(20); i > 0; --i) {
            const auto count = static_cast<std::uint32_t>(prng.below(4));
            const bool known = prng.chance(0.5);
            TokenIds ids;
            for (std::uint32_t k = 0; known && k < count; ++k) {
                ids.push_back(static_cast<std::int32_t>(prng.below(1'000)));
            }
            const std::string text(prng.below(3), static_cast<char>('a' + prng.below(26)));
            point.append(ids, text, count);
            tokens += count;
            if (!ids.empty()) {
                for (const std::int32_t id : ids)
                    expected.push_back("#" + std::to_string(id));
            } else if (!text.empty()) {
                if (expected.empty() || expected.back()[0] == '#')
                    expected.emplace_back();
                expected.back() += text;
            }
        }
        std::vector<std::string> kept;
        std::size_t last_kind = std::variant_npos;
        for (const ResumePoint::Segment& segment : point.segments) {
            EXPECT_NE(segment.index(), last_kind) << "neighbours of one kind are one segment";
            last_kind = segment.index();
            if (const auto* ids = std::get_if<TokenIds>(&segment)) {
                EXPECT_FALSE(ids->empty());
                for (const std::int32_t id : *ids)
                    kept.push_back("#" + std::to_string(id));
            } else {
                EXPECT_FALSE(std::get<std::string>(segment).empty());
                kept.push_back(std::get<std::string>(segment));
            }
        }
        ASSERT_EQ(kept, expected);
        ASSERT_EQ(point.tokens, tokens);
    }
}

TEST(ResumePoint, TakesTheTextWhenAnIdIsUnknown) {
    ResumePoint point;
    EXPECT_TRUE(point.empty());
    point.append({5, 6}, "ab", 2);
    point.append({9}, "xyz", 3);
    point.append({}, "tail", 0);
    ASSERT_EQ(point.segments.size(), 2u);
    EXPECT_EQ(std::get<TokenIds>(point.segments[0]), (TokenIds{5, 6}));
    EXPECT_EQ(std::get<std::string>(point.segments[1]), "xyztail");
    EXPECT_EQ(point.tokens, 5u);
}

}  // namespace
}  // namespace idlewatt::core
