// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "forecast/survey.hpp"

namespace idlewatt::forecast {

namespace {

HourShares mean(const HourShares& a, const HourShares& b) {
    HourShares shares{};
    for (std::size_t hour = 0; hour < shares.size(); ++hour)
        shares[hour] = (a[hour] + b[hour]) / 2.0;
    return shares;
}

}  // namespace

// Source: emobpy 0.6, config files of its examples (MIT): departures by hour.
const Survey& german_survey() {
    static constexpr HourShares worker{0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 4.8, 4.8, 4.8, 5.2, 5.2, 5.2,
                                       5.2, 5.2, 6.9, 6.9, 6.9, 8.5, 8.5, 8.5, 3.3, 3.3, 3.3, 0.5};
    static constexpr HourShares others{0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 1.2, 1.2, 1.2, 8.9, 8.9, 9.9,
                                       9.9, 9.9, 7.9, 7.9, 7.9, 5.9, 5.9, 5.9, 1.9, 1.9, 1.9, 0.3};
    static constexpr HourShares saturday{0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 1.1, 1.1,
                                         1.1, 6.7, 6.7, 9.0, 9.0, 9.0, 7.4, 7.4,
                                         7.4, 7.0, 7.0, 7.0, 3.0, 3.0, 3.0, 0.6};
    static constexpr HourShares sunday{0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.6, 0.6, 0.6, 5.3, 5.3, 8.0,
                                       8.0, 8.0, 9.2, 9.2, 9.2, 7.9, 7.9, 7.9, 3.2, 3.2, 3.2, 0.4};
    static const Survey survey{mean(worker, others), saturday, sunday, 1.0, 0.7};
    return survey;
}

// Source: table NTS0503 of the National Travel Survey, as given in a public file based on it:
// trip starts by hour, all purposes on weekdays, shopping and visiting at the weekend.
const Survey& british_survey() {
    static constexpr HourShares all{0, 0, 0, 0,  0, 1, 2, 5, 12, 6, 6, 6,
                                    6, 6, 6, 11, 8, 8, 6, 4, 3,  2, 1, 1};
    static constexpr HourShares shopping{0,  0,   0,   0, 0, 0, 0, 1, 3, 8, 12, 13,
                                         11, 9.5, 9.5, 8, 7, 6, 5, 4, 2, 1, 0,  0};
    static constexpr HourShares visiting{0, 0, 0, 0, 0, 0, 1,  1,  2, 4, 5, 6,
                                         6, 6, 6, 8, 8, 9, 10, 10, 6, 5, 4, 3};
    static const Survey survey{all, mean(shopping, visiting), mean(shopping, visiting), 1.3, 1.2};
    return survey;
}

}  // namespace idlewatt::forecast
