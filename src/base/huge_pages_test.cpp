// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/huge_pages.hpp"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace idlewatt::base {
namespace {

TEST(HugePages, HoldWhatAVectorHoldsSmallOrLarge) {
    struct alignas(64) Line {
        std::uint64_t value = 0;
    };
    std::vector<Line, HugePages<Line>> lines;
    constexpr std::uint64_t count = 3 * huge_from_bytes / sizeof(Line);
    for (std::uint64_t value = 0; value < count; ++value) {
        lines.push_back({value});
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(lines.data()) % alignof(Line), 0U);
    }
    const auto copy = lines;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(copy.data()) % huge_page_bytes, 0U);
    lines.clear();
    lines.shrink_to_fit();
    for (std::uint64_t value = 0; value < count; ++value)
        ASSERT_EQ(copy[value].value, value);
}

}  // namespace
}  // namespace idlewatt::base
