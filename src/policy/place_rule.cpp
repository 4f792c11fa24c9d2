// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <cmath>
#include <numbers>

#include "policy/rules.hpp"

namespace idlewatt::policy {

namespace {

// Of the sphere with the earth's mean radius: https://en.wikipedia.org/wiki/Earth_radius
constexpr double metres_per_degree = 6'371'008.8 * std::numbers::pi / 180.0;

// Flat, which is right to some metres for the radius that a place may have.
bool is_within(const core::Place& place, double shrink, double latitude_deg, double longitude_deg,
               double radius_m) {
    const double north_m = (latitude_deg - place.latitude_deg) * metres_per_degree;
    double east_deg = longitude_deg - place.longitude_deg;
    if (std::abs(east_deg) > 180.0)
        east_deg = 360.0 - std::abs(east_deg);
    const double east_m = east_deg * shrink * metres_per_degree;
    return north_m * north_m + east_m * east_m <= radius_m * radius_m;
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
        if (is_within(place, c.terms.shrink_at[i], c.value(latitude_deg), c.value(longitude_deg),
                      place.radius_m + beyond_m)) {
            return std::nullopt;
        }
    }
    return Objection{Reason::place_not_allowed};
}

}  // namespace idlewatt::policy
