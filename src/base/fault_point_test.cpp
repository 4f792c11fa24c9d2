// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/fault_point.hpp"

#include <gtest/gtest.h>

namespace idlewatt::base {
namespace {

TEST(FaultPoint, IsDeadWithoutASimulation) {
    EXPECT_FALSE(fault_point("a"));
    reached("b");
}

TEST(FaultPoint, FiresOnceAtTheArmedPassing) {
    FaultPoints points;
    points.arm("a", 3);
    EXPECT_FALSE(fault_point("a"));
    EXPECT_FALSE(fault_point("a"));
    EXPECT_FALSE(points.fired("a"));
    EXPECT_TRUE(fault_point("a"));
    EXPECT_FALSE(fault_point("a"));
    EXPECT_TRUE(points.fired("a"));
    EXPECT_FALSE(fault_point("other"));
}

TEST(FaultPoint, CountsPassingsAndForgetsThemWithTheRun) {
    {
        FaultPoints points;
        reached("b");
        reached("b");
        EXPECT_EQ(points.passings().at("b"), 2u);
    }
    FaultPoints points;
    EXPECT_TRUE(points.passings().empty());
}

}  // namespace
}  // namespace idlewatt::base
