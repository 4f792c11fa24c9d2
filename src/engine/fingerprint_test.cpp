// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/fingerprint.hpp"

#include <set>

#include <gtest/gtest.h>

namespace idlewatt::engine {
namespace {

TEST(Fingerprint, ChangesWithEachOfItsPartsAndKnowsTheirBorders) {
    const std::set<std::string> all = {fingerprint({"b1", "m", "F16", "x86_64 avx2"}),
                                       fingerprint({"b2", "m", "F16", "x86_64 avx2"}),
                                       fingerprint({"b1", "n", "F16", "x86_64 avx2"}),
                                       fingerprint({"b1", "m", "F32", "x86_64 avx2"}),
                                       fingerprint({"b1", "m", "F16", "x86_64 avx"}),
                                       fingerprint({"b1m", "", "F16", "x86_64 avx2"})};
    EXPECT_EQ(all.size(), 6U);
    for (const std::string& one : all) {
        EXPECT_EQ(one.size(), 10U);
        EXPECT_EQ(one.find_first_not_of("0123456789abcdef"), std::string::npos);
    }
}

// Clients compare it over months.
TEST(Fingerprint, IsTheSameInEveryVersion) {
    EXPECT_EQ(fingerprint({"a", "b", "c", "d"}), fingerprint({"a", "b", "c", "d"}));
    EXPECT_EQ(fingerprint({"a", "b", "c", "d"}), "ba86e1c7f5");
}

TEST(Fingerprint, TheHardwareHasAClass) {
    EXPECT_EQ(hardware_class(), hardware_class());
    EXPECT_NE(hardware_class().find(' '), std::string::npos);
}

}  // namespace
}  // namespace idlewatt::engine
