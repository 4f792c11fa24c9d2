// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

namespace {

constexpr int days = 7;

std::optional<ReadyTime> of_the_week(const Case& c) {
    if (!c.terms.have_ready_by)
        return std::nullopt;
    const core::WeekTime local = c.situation.local;
    // Today's, unless it is over; else the next day's that has one, up to this day of next week.
    for (int ahead = 0; ahead <= days; ++ahead) {
        const int day = (core::weekday(local) + ahead) % days;
        const core::ReadyBy& ready = c.settings.ready_by[static_cast<std::size_t>(day)];
        if (ready.minute < 0)
            continue;
        const std::int32_t at_s = (core::weekday(local) + ahead) * core::day_s + ready.minute * 60;
        if (at_s < local.s)
            continue;
        return ReadyTime{base::seconds(at_s - local.s), static_cast<double>(ready.charge_percent)};
    }
    return std::nullopt;
}

std::optional<ReadyTime> of_the_car(const Case& c) {
    using enum core::SignalId;
    if (!c.knows(departure_unix_s))
        return std::nullopt;
    const double left_s =
        c.value(departure_unix_s) - static_cast<double>(c.situation.wall_now.us) * 1e-6;
    if (left_s < 0.0 || left_s > static_cast<double>(core::week_s))
        return std::nullopt;
    const double wanted =
        c.knows(charge_limit_percent) ? c.value(charge_limit_percent) : c.settings.reserve_percent;
    return ReadyTime{base::from_seconds(left_s), wanted};
}

}  // namespace

std::optional<ReadyTime> next_ready_time(const Case& c) {
    const auto week = of_the_week(c);
    const auto car = of_the_car(c);
    if (!week || !car)
        return week ? week : car;
    return car->left < week->left ? car : week;
}

}  // namespace idlewatt::policy
