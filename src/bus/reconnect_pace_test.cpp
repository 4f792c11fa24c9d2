// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/reconnect_pace.hpp"

#include <gtest/gtest.h>

namespace idlewatt::bus {
namespace {

constexpr base::Duration quick = base::milliseconds(50);

TEST(ReconnectPace, is_quick_for_a_restart_and_slow_for_a_lost_cluster) {
    ReconnectPace pace(quick, 1);
    EXPECT_LT(pace.first_pause(), quick);
    for (int i = 0; i < quick_attempts; ++i) {
        EXPECT_GE(pace.pause(), quick / 2);
        EXPECT_LE(pace.pause(), quick);
        pace.tried(false);
    }
    for (int i = 0; i < 100; ++i)
        pace.tried(false);
    EXPECT_GE(pace.pause(), slow_delay / 2);
    EXPECT_LE(pace.pause(), slow_delay);
}

TEST(ReconnectPace, forgets_its_attempts_only_after_a_connection_that_stood) {
    ReconnectPace pace(quick, 1);
    for (int i = 0; i < 2 * quick_attempts; ++i)
        pace.tried(false);
    pace.lost_after(base::milliseconds(10));
    EXPECT_GT(pace.pause(), quick);
    pace.lost_after(stable_after + base::milliseconds(1));
    EXPECT_LE(pace.pause(), quick);
}

TEST(ReconnectPace, comes_seldom_once_it_is_refused_and_tells_it_ever_more_seldom) {
    ReconnectPace pace(quick, 1);
    int told = 0;
    for (int i = 0; i < 64; ++i) {
        pace.tried(true);
        told += pace.tells_denial() ? 1 : 0;
    }
    EXPECT_EQ(told, 5);  // at 4, 8, 16, 32, 64
    EXPECT_GE(pace.pause(), denied_delay_max / 2);
    EXPECT_LE(pace.pause(), denied_delay_max);
    pace.tried(false);
    EXPECT_LE(pace.pause(), quick);
}

}  // namespace
}  // namespace idlewatt::bus
