// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// When people drive off, by surveys: what a car believes before it has a history of its own. Pure.
#pragma once

#include <array>

namespace idlewatt::forecast {

// Per cent of a day's departures that begin in each hour.
using HourShares = std::array<double, 24>;

struct Survey {
    HourShares weekday;
    HourShares saturday;
    HourShares sunday;
    // Departures from where a car stands for long, a day.
    double per_weekday = 0.0;
    double per_weekend_day = 0.0;
};

// Germany, the data that come with emobpy (half workers, half others). Two trips a weekday, of
// which one begins at home; half of the cars do not move on a day of the weekend.
[[nodiscard]] const Survey& german_survey();
// Great Britain, trip starts by purpose (NTS0503): 18 trips a car and week, half of them from home.
[[nodiscard]] const Survey& british_survey();

}  // namespace idlewatt::forecast
