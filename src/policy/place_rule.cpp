// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <cmath>
#include <numbers>

#include "policy/rules.hpp"

namespace idlewatt::policy {

namespace {

// Of the sphere with the earth's mean radius: https://en.wikipedia.org/wiki/Earth_radius
constexpr double metres_per_degree = 6'371'008.8 * std::numbers::pi / 180.0;

// Flat, which is right to a part in a thousand for the radius that a place may have.
double distance_m(const core::Place& place, double latitude_deg, double longitude_deg) {
    const double north = latitude_deg - place.latitude_deg;
    const double around = std::remainder(longitude_deg - place.longitude_deg, 360.0);
    const double east = around * std::cos(latitude_deg * std::numbers::pi / 180.0);
    return std::hypot(north, east) * metres_per_degree;
}

}  // namespace

Answer place_rule(const Case& c) {
    using core::Reason;
    using enum core::SignalId;
    if (c.settings.place_count == 0)
        return std::nullopt;
    const double beyond_m = c.holds(Reason::place_not_allowed) ? 0.0 : place_hysteresis_m;
    const bool known = c.knows(latitude_deg) && c.knows(longitude_deg);
    for (std::size_t i = 0; known && i < c.settings.place_count; ++i) {
        const core::Place& place = c.settings.places[i];
        if (distance_m(place, c.value(latitude_deg), c.value(longitude_deg)) <=
            place.radius_m + beyond_m) {
            return std::nullopt;
        }
    }
    return Objection{Reason::place_not_allowed};
}

}  // namespace idlewatt::policy
