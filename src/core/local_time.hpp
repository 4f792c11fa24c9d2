// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A moment of the owner's week, by the clock on the wall where the car stands. Which moment that is
// depends on laws about time zones, so whoever asks a decision works it out before.
#pragma once

#include <compare>
#include <cstdint>

#include "base/time.hpp"

namespace idlewatt::core {

inline constexpr std::int32_t day_s = 24 * 3600;
inline constexpr std::int32_t week_s = 7 * day_s;

struct WeekTime {
    std::int32_t s = 0;  // since Monday 00:00; below week_s

    friend constexpr auto operator<=>(WeekTime, WeekTime) = default;
};

// offset_s: how far the clock on the wall is ahead of UTC at that moment.
[[nodiscard]] constexpr WeekTime week_time(base::WallTime time, std::int32_t offset_s) {
    constexpr std::int64_t first_day = 3;  // 1970-01-01 was a Thursday
    const std::int64_t s = (time.us / 1'000'000 + offset_s + first_day * day_s) % week_s;
    return {static_cast<std::int32_t>(s < 0 ? s + week_s : s)};
}

// Monday is 0.
[[nodiscard]] constexpr int weekday(WeekTime time) {
    return time.s / day_s;
}

// How long from one to the next time that it is the other; 0 when they are the same.
[[nodiscard]] constexpr std::int32_t seconds_until(WeekTime from, WeekTime to) {
    return to.s >= from.s ? to.s - from.s : to.s - from.s + week_s;
}

}  // namespace idlewatt::core
