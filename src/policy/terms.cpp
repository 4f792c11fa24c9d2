// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <algorithm>
#include <cmath>
#include <numbers>

#include "policy/policy.hpp"

namespace idlewatt::policy {

namespace {

constexpr std::int16_t day_minutes = 24 * 60;
constexpr double place_radius_m_max = 100'000.0;
constexpr double temperature_c_max = 120.0;

// Comparisons are written so that NaN fails them.
bool is_percent(double value) {
    return value >= 0.0 && value <= 100.0;
}

bool is_delay(base::Duration delay) {
    return delay >= base::Duration{} && delay <= delay_max;
}

bool is_temperature(double value) {
    return value >= -temperature_c_max && value <= temperature_c_max;
}

bool is_limit(const std::optional<double>& value) {
    return !value || (*value >= -1e6 && *value <= 1e6);
}

bool is_minute(std::int16_t minute) {
    return minute >= 0 && minute < day_minutes;
}

bool is_window(const core::Window& window) {
    return is_minute(window.from_minute) && is_minute(window.to_minute);
}

bool is_place(const core::Place& place) {
    return place.latitude_deg >= -90.0 && place.latitude_deg <= 90.0 &&
           place.longitude_deg >= -180.0 && place.longitude_deg <= 180.0 && place.radius_m > 0.0 &&
           place.radius_m <= place_radius_m_max;
}

bool is_ready_by(const core::ReadyBy& ready) {
    return ready.minute < day_minutes && ready.charge_percent <= 100;
}

bool make_sense(const core::OwnerSettings& s) {
    return is_percent(s.reserve_percent) && is_percent(s.floor_percent) && s.power_limit_w > 0.0 &&
           s.power_limit_w <= power_limit_w_max && is_delay(s.reentry_delay) &&
           is_delay(s.drain_dwell) && is_limit(s.reserve_km) &&
           is_limit(s.price_limit_usd_per_kwh) && is_limit(s.carbon_limit_g_per_kwh) &&
           is_temperature(s.battery_hot_c) && is_temperature(s.battery_cold_c) &&
           is_temperature(s.compute_hot_c) && s.paused_until <= latest_sane_time &&
           s.window_count <= core::windows_max && s.place_count <= core::places_max &&
           std::ranges::all_of(s.ready_by, is_ready_by) &&
           std::all_of(s.windows.begin(), s.windows.begin() + s.window_count, is_window) &&
           std::all_of(s.places.begin(), s.places.begin() + s.place_count, is_place);
}

}  // namespace

Terms::Terms(const core::OwnerSettings& from)
    : settings(from), make_sense(policy::make_sense(from)) {
    have_ready_by = std::ranges::any_of(
        from.ready_by, [](const core::ReadyBy& ready) { return ready.minute >= 0; });
    for (std::size_t i = 0; i < core::places_max; ++i)
        shrink_at[i] = std::cos(from.places[i].latitude_deg * std::numbers::pi / 180.0);
}

}  // namespace idlewatt::policy
