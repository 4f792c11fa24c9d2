// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the owner decided for one car. A value: no pointers, so that it can be copied into a
// decision and compared.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.hpp"

namespace idlewatt::core {

// By when the car is to be charged, on one day of the week.
struct ReadyBy {
    std::int16_t minute = -1;  // of the local day; negative: on this day it does not matter
    std::uint8_t charge_percent = 80;

    friend bool operator==(const ReadyBy&, const ReadyBy&) = default;
};

// A time of the day at which the car may work.
struct Window {
    std::uint8_t days = 0x7f;  // a bit for each day on which it begins; Monday is 1
    std::int16_t from_minute = 0;
    std::int16_t to_minute = 0;  // not after from_minute: on the next day

    friend bool operator==(const Window&, const Window&) = default;
};

struct Place {
    double latitude_deg = 0.0;
    double longitude_deg = 0.0;
    double radius_m = 100.0;

    friend bool operator==(const Place&, const Place&) = default;
};

inline constexpr std::size_t windows_max = 14;
inline constexpr std::size_t places_max = 8;

struct OwnerSettings {
    bool consent = false;
    base::WallTime paused_until{};  // the past: not paused

    double reserve_percent = 50.0;     // below this charge the car drains and stops
    double floor_percent = 20.0;       // below this charge the car stops at once
    std::optional<double> reserve_km;  // as the reserve, by the range that the car says it has
    bool only_plugged_in = true;       // else also from the battery, down to the reserve

    double power_limit_w = 300.0;  // what compute may draw when all is well
    std::array<ReadyBy, 7> ready_by{};
    std::array<Window, windows_max> windows{};
    std::uint8_t window_count = 0;  // none: at any time
    std::array<Place, places_max> places{};
    std::uint8_t place_count = 0;  // none: anywhere

    std::optional<double> price_limit_usd_per_kwh;
    std::optional<double> carbon_limit_g_per_kwh;
    double battery_hot_c = 45.0;
    double battery_cold_c = 0.0;
    double compute_hot_c = 85.0;
    bool only_unmetered = false;  // not over a network on which bytes cost money

    // After a recall the car stays away from work at least this long.
    base::Duration reentry_delay = base::seconds(60);
    // After a drain the car stays away at least this long, however fast the reason goes.
    base::Duration drain_dwell = base::seconds(60);

    friend bool operator==(const OwnerSettings&, const OwnerSettings&) = default;
};

// What an owner may begin with instead of deciding everything.
enum class Preset { gentle, balanced, most_earnings };
[[nodiscard]] OwnerSettings preset(Preset which);  // without consent

}  // namespace idlewatt::core
