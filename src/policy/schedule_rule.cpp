// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <algorithm>

#include "policy/rules.hpp"

namespace idlewatt::policy {

namespace {

constexpr std::int32_t week_days = 7;
constexpr std::int32_t minute_s = 60;

std::int32_t length_s(const core::Window& window) {
    const std::int32_t length = (window.to_minute - window.from_minute) * minute_s;
    return length > 0 ? length : length + core::day_s;
}

bool begins_on(const core::Window& window, std::int32_t day) {
    return (window.days >> static_cast<unsigned>(day) & 1U) != 0;
}

// How much of the window is left at this time of the week; 0 outside. It began today or yesterday.
std::int32_t left_s(const core::Window& window, core::WeekTime time) {
    const std::int32_t today = core::weekday(time);
    std::int32_t left = 0;
    for (std::int32_t back = 0; back <= 1; ++back) {
        const std::int32_t day = (today + week_days - back) % week_days;
        const std::int32_t since =
            time.s - today * core::day_s + back * core::day_s - window.from_minute * minute_s;
        if (begins_on(window, day) && since >= 0 && since < length_s(window))
            left = std::max(left, length_s(window) - since);
    }
    return left;
}

std::int32_t left_in_any_s(const core::OwnerSettings& settings, core::WeekTime time) {
    std::int32_t left = 0;
    for (std::size_t i = 0; i < settings.window_count; ++i)
        left = std::max(left, left_s(settings.windows[i], time));
    return left;
}

std::int32_t next_begin_s(const core::OwnerSettings& settings, core::WeekTime time) {
    std::int32_t wait = core::week_s;
    for (std::size_t i = 0; i < settings.window_count; ++i) {
        for (std::int32_t day = 0; day < week_days; ++day) {
            const core::WeekTime begin{day * core::day_s +
                                       settings.windows[i].from_minute * minute_s};
            if (begins_on(settings.windows[i], day))
                wait = std::min(wait, core::seconds_until(time, begin));
        }
    }
    return wait;
}

}  // namespace

Answer schedule_rule(const Case& c) {
    if (c.settings.window_count == 0 || left_in_any_s(c.settings, c.situation.local) > 0)
        return std::nullopt;
    return Objection{core::Reason::outside_schedule,
                     c.situation.now + base::seconds(next_begin_s(c.settings, c.situation.local))};
}

base::Instant schedule_objects_at(const Case& c) {
    if (c.settings.window_count == 0)
        return base::never;
    // From window to window, where one begins before the last has ended.
    std::int32_t ahead = 0;
    for (std::int32_t more = -1; more != 0 && ahead < core::week_s; ahead += more) {
        more =
            left_in_any_s(c.settings, core::WeekTime{(c.situation.local.s + ahead) % core::week_s});
    }
    return ahead >= core::week_s ? base::never : c.situation.now + base::seconds(ahead);
}

}  // namespace idlewatt::policy
