// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "forecast/stay_forecast.hpp"

#include <algorithm>
#include <cmath>

namespace idlewatt::forecast {

namespace {

constexpr std::size_t saturday = 5;
// People leave a little before or after their time.
constexpr std::array<float, 5> blur{0.1F, 0.2F, 0.4F, 0.2F, 0.1F};
// How sure it is that a car that is to be ready leaves in the slots around that time.
constexpr double leaves_before_ready = 0.15;
constexpr double leaves_when_ready = 2.2;

std::size_t kind_of(std::size_t slot) {
    const std::size_t day = slot / slots_of_day;
    return day < saturday ? 0 : day - saturday + 1;
}

std::size_t kind_slot(std::size_t slot) {
    return kind_of(slot) * slots_of_day + slot % slots_of_day;
}

std::size_t slot_of(core::WeekTime time) {
    return static_cast<std::size_t>(time.s / slot_s) % slots_of_week;
}

}  // namespace

StayHistory::StayHistory(const Survey& survey) {
    const std::array kinds{&survey.weekday, &survey.saturday, &survey.sunday};
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        const double per_day = kind == 0 ? survey.per_weekday : survey.per_weekend_day;
        for (std::size_t slot = 0; slot < slots_of_day; ++slot) {
            const double share = (*kinds[kind])[slot * slot_s / 3600] / 100.0;
            survey_[kind * slots_of_day + slot] =
                static_cast<float>(per_day * share * slot_s / 3600.0);
        }
    }
}

void StayHistory::stood(core::WeekTime from, base::Duration span, bool left) {
    const auto span_s = static_cast<std::int64_t>(
        std::clamp(span.seconds(), 0.0, static_cast<double>(core::week_s)));
    const auto end_s = from.s + span_s;
    for (std::int64_t at = from.s; at < end_s;) {
        const std::int64_t slot_end = (at / slot_s + 1) * slot_s;
        const auto part = static_cast<float>(std::min(slot_end, end_s) - at) / slot_s;
        const std::size_t slot = static_cast<std::size_t>(at / slot_s) % slots_of_week;
        by_kind_[kind_slot(slot)].stood += part;
        by_day_[slot].stood += part;
        at = slot_end;
    }
    if (!left)
        return;
    const std::size_t last = static_cast<std::size_t>(end_s / slot_s) % slots_of_week;
    for (std::size_t i = 0; i < blur.size(); ++i) {
        const std::size_t slot = (last + i + slots_of_week - blur.size() / 2) % slots_of_week;
        by_kind_[kind_slot(slot)].left += blur[i];
        by_day_[slot].left += blur[i];
    }
}

void StayHistory::forget_some() {
    const auto fade = [](Seen& seen) {
        seen.stood *= static_cast<float>(weekly_memory);
        seen.left *= static_cast<float>(weekly_memory);
    };
    std::ranges::for_each(by_kind_, fade);
    std::ranges::for_each(by_day_, fade);
}

double StayHistory::leaves_in(std::size_t slot) const {
    const std::size_t kind = kind_slot(slot);
    const double of_kind = (survey_[kind] * survey_weight_days + by_kind_[kind].left) /
                           (survey_weight_days + by_kind_[kind].stood);
    return (of_kind * kind_weight_days + by_day_[slot].left) /
           (kind_weight_days + by_day_[slot].stood);
}

core::StayForecast StayHistory::forecast(core::WeekTime now,
                                         std::optional<base::Duration> ready_in) const {
    // The departures expected up to a moment at which so many of 100 cars have left.
    static const std::array wanted{-std::log(0.9), -std::log(0.5), -std::log(0.1)};
    std::array<base::Duration, 3> found{stay_max, stay_max, stay_max};
    std::size_t next = 0;
    double expected = 0.0;
    std::int64_t ahead_s = 0;
    const std::int64_t ready_s =
        ready_in ? static_cast<std::int64_t>(ready_in->seconds()) : -2 * slot_s;
    while (next < wanted.size() && ahead_s < core::week_s) {
        const core::WeekTime at{static_cast<std::int32_t>((now.s + ahead_s) % core::week_s)};
        const std::int64_t step_s = slot_s - at.s % slot_s;
        double leaves = leaves_in(slot_of(at)) * static_cast<double>(step_s) / slot_s;
        const std::int64_t to_ready_s = ready_s - ahead_s;
        if (to_ready_s >= step_s && to_ready_s < step_s + slot_s)
            leaves += leaves_before_ready;
        if (to_ready_s >= 0 && to_ready_s < step_s)
            leaves += leaves_when_ready;
        for (; next < wanted.size() && expected + leaves >= wanted[next]; ++next) {
            const double part = (wanted[next] - expected) / leaves;
            found[next] = base::from_seconds(static_cast<double>(ahead_s) +
                                             part * static_cast<double>(step_s));
        }
        expected += leaves;
        ahead_s += step_s;
    }
    return {found[0], found[1], found[2]};
}

}  // namespace idlewatt::forecast
