// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How long will this car stay? From its own departures by time of the week, kept on the car, and
// from a survey until there are enough of them. Pure; a value of about 8 kB.
//
// The week is cut into slots. In each slot a parked car leaves with some probability: the survey's,
// moved towards what this car did in that slot on days of that kind (weekdays, Saturdays, Sundays),
// moved on towards what it did on that very weekday. The older, the less it counts. Of these the
// quantiles of the time to the departure follow, from any moment on.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "core/announcement.hpp"
#include "core/local_time.hpp"
#include "forecast/survey.hpp"

namespace idlewatt::forecast {

inline constexpr std::int32_t slot_s = 15 * 60;
inline constexpr std::size_t slots_of_day = core::day_s / slot_s;
inline constexpr std::size_t slots_of_week = core::week_s / slot_s;
// As many days of parking weigh as much as the survey, or as days of the same kind.
inline constexpr double survey_weight_days = 2.0;
inline constexpr double kind_weight_days = 3.0;
// Of what was seen, this part counts a week later.
inline constexpr double weekly_memory = 0.93;
// Nobody asks for more.
inline constexpr base::Duration stay_max = base::minutes(7 * 24 * 60);

class StayHistory {
public:
    explicit StayHistory(const Survey& survey = german_survey());

    // The car stood from then on for this long (a week at most counts), and then left or did not.
    void stood(core::WeekTime from, base::Duration span, bool left);
    // Called once a week.
    void forget_some();

    // For a car that stands. With a time at which it is to be ready, it leaves at about that.
    [[nodiscard]] core::StayForecast forecast(core::WeekTime now,
                                              std::optional<base::Duration> ready_in) const;

private:
    struct Seen {
        float stood = 0.0F;  // slots
        float left = 0.0F;
    };

    [[nodiscard]] double leaves_in(std::size_t slot) const;  // expected departures

    std::array<float, 3 * slots_of_day> survey_{};  // expected departures in a slot, by kind of day
    std::array<Seen, 3 * slots_of_day> by_kind_{};
    std::array<Seen, slots_of_week> by_day_{};
};

}  // namespace idlewatt::forecast
