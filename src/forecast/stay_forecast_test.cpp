// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Learnt with one survey as the first belief, tried on drivers of another: made-up people, whose
// departures follow that survey's hours, who have habits, and who do not always keep them.
#include "forecast/stay_forecast.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::forecast {
namespace {

constexpr int drivers = 400;
constexpr int weeks_of_learning = 4;
constexpr int weeks_of_trying = 8;

struct Stay {
    std::int64_t from_s = 0;  // since the first Monday
    std::int64_t to_s = 0;
};

double normal(base::Prng& prng) {
    const double u = std::max(prng.unit(), 1e-12);
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * prng.unit());
}

// A second of the day.
std::int64_t drawn_from(const HourShares& shares, base::Prng& prng) {
    double total = 0.0;
    for (const double share : shares)
        total += share;
    double left = prng.unit() * total;
    for (std::size_t hour = 0; hour < shares.size(); ++hour) {
        if (left < shares[hour])
            return static_cast<std::int64_t>(hour) * 3600 +
                   static_cast<std::int64_t>(prng.unit() * 3600);
        left -= shares[hour];
    }
    return 12 * 3600;
}

class Driver {
public:
    Driver(const Survey& survey, std::uint64_t seed) : survey_(survey), prng_(seed) {
        commutes_ = prng_.chance(0.55);
        do {
            habit_s_ = drawn_from(survey.weekday, prng_);
        } while (commutes_ && (habit_s_ < 5 * 3600 || habit_s_ > 10 * 3600));
        spread_s_ = 300.0 + prng_.unit() * 1'500.0;
        keeps_ = 0.8 + prng_.unit() * 0.2;
        away_s_ = (7.0 + prng_.unit() * 3.0) * 3600.0;
    }

    std::vector<Stay> stays(int weeks) {
        std::vector<Stay> all;
        std::int64_t home_since_s = 0;
        for (int day = 0; day < 7 * weeks; ++day) {
            for (const auto& [leaves_s, away_s] : tours(day)) {
                if (leaves_s <= home_since_s)
                    continue;
                all.push_back({home_since_s, leaves_s});
                home_since_s = leaves_s + away_s;
            }
        }
        return all;
    }

private:
    // When it leaves, and for how long, in order.
    std::vector<std::pair<std::int64_t, std::int64_t>> tours(int day) {
        const bool weekend = day % 7 >= 5;
        std::vector<std::pair<std::int64_t, std::int64_t>> tours;
        const std::int64_t begin_s = std::int64_t{day} * core::day_s;
        double others = weekend ? survey_.per_weekend_day : survey_.per_weekday;
        if (commutes_ && !weekend) {
            others = std::max(others - 0.9, 0.2);
            if (prng_.chance(keeps_)) {
                tours.emplace_back(
                    begin_s + habit_s_ + static_cast<std::int64_t>(normal(prng_) * spread_s_),
                    static_cast<std::int64_t>(away_s_ + normal(prng_) * 1'800.0));
            }
        }
        const HourShares& shares = !weekend       ? survey_.weekday
                                   : day % 7 == 5 ? survey_.saturday
                                                  : survey_.sunday;
        for (double left = others; left > 0.0; left -= 1.0) {
            if (prng_.chance(std::min(left, 1.0))) {
                tours.emplace_back(begin_s + drawn_from(shares, prng_),
                                   static_cast<std::int64_t>(1'800 + prng_.unit() * 9'000.0));
            }
        }
        std::ranges::sort(tours);
        return tours;
    }

    const Survey& survey_;
    base::Prng prng_;
    bool commutes_ = false;
    std::int64_t habit_s_ = 0;
    double spread_s_ = 0.0;
    double keeps_ = 0.0;
    double away_s_ = 0.0;
};

core::WeekTime week_time(std::int64_t s) {
    return {static_cast<std::int32_t>(s % core::week_s)};
}

struct Coverage {
    double longer_than_p10 = 0.0;  // of all stays
    double longer_than_p50 = 0.0;
    double longer_than_p90 = 0.0;
    std::vector<double> by_driver;  // of p10, ascending
    double mean_p10_h = 0.0;
    double p50_off_h = 0.0;  // between the median and what came, in the mean
};

enum class Learns { no, yes };

Coverage tried(const Survey& belief, const Survey& people, Learns learns = Learns::yes) {
    constexpr int weeks_learnt = weeks_of_learning;
    Coverage coverage;
    double stays = 0.0;
    for (std::uint64_t seed = 0; seed < drivers; ++seed) {
        StayHistory history(belief);
        std::int64_t week = 0;
        double mine = 0.0;
        double longer = 0.0;
        for (const Stay& stay : Driver(people, seed).stays(weeks_learnt + weeks_of_trying)) {
            const base::Duration span = base::seconds(stay.to_s - stay.from_s);
            if (stay.from_s >= std::int64_t{weeks_learnt} * core::week_s) {
                const auto forecast = history.forecast(week_time(stay.from_s), std::nullopt);
                mine += 1.0;
                longer += span >= forecast.p10 ? 1.0 : 0.0;
                coverage.longer_than_p50 += span >= forecast.p50 ? 1.0 : 0.0;
                coverage.longer_than_p90 += span >= forecast.p90 ? 1.0 : 0.0;
                coverage.mean_p10_h += forecast.p10.seconds() / 3600.0;
                coverage.p50_off_h += std::abs((span - forecast.p50).seconds()) / 3600.0;
            }
            if (learns == Learns::no)
                continue;
            history.stood(week_time(stay.from_s), span, true);
            for (; week < stay.to_s / core::week_s; ++week)
                history.forget_some();
        }
        stays += mine;
        coverage.longer_than_p10 += longer;
        if (mine >= 20)
            coverage.by_driver.push_back(longer / mine);
    }
    for (double* of : {&coverage.longer_than_p10, &coverage.longer_than_p50,
                       &coverage.longer_than_p90, &coverage.mean_p10_h, &coverage.p50_off_h})
        *of /= stays;
    std::ranges::sort(coverage.by_driver);
    return coverage;
}

void print(const char* what, const Coverage& c) {
    const auto at = [&c](double share) {
        return c.by_driver[static_cast<std::size_t>(share *
                                                    static_cast<double>(c.by_driver.size() - 1))];
    };
    std::printf(
        "%s: longer than p10 %.1f %%, p50 %.1f %%, p90 %.1f %%; p10 is %.1f h in the mean, p50 off "
        "by "
        "%.1f h; by "
        "driver: 5 %% of them below %.1f %%, half below %.1f %%, 95 %% below %.1f %%\n",
        what, 100 * c.longer_than_p10, 100 * c.longer_than_p50, 100 * c.longer_than_p90,
        c.mean_p10_h, c.p50_off_h, 100 * at(0.05), 100 * at(0.5), 100 * at(0.95));
}

TEST(StayForecast, learnt_on_one_survey_holds_for_drivers_of_the_other) {
    const Coverage british = tried(german_survey(), british_survey());
    print("German belief, British drivers, after 4 weeks", british);
    const Coverage german = tried(british_survey(), german_survey());
    print("British belief, German drivers, after 4 weeks", german);
    for (const Coverage& c : {british, german}) {
        EXPECT_GE(c.longer_than_p10, 0.85);
        EXPECT_LE(c.longer_than_p10, 0.95);
        EXPECT_GE(c.longer_than_p50, 0.40);
        EXPECT_LE(c.longer_than_p50, 0.60);
    }
}

TEST(StayForecast, a_history_tells_more_than_a_survey) {
    const Coverage cold = tried(german_survey(), british_survey(), Learns::no);
    const Coverage warm = tried(german_survey(), british_survey());
    print("German belief, British drivers, the survey alone", cold);
    EXPECT_GE(cold.longer_than_p10, 0.80);
    EXPECT_LT(warm.p50_off_h, cold.p50_off_h);
}

TEST(StayForecast, of_a_car_that_leaves_at_seven_on_weekdays) {
    StayHistory history;
    for (int day = 0; day < 28; ++day) {
        const std::int32_t seven_s = (day % 7) * core::day_s + 7 * 3600;
        if (day % 7 < 5)
            history.stood({(seven_s + core::week_s - 13 * 3600) % core::week_s},
                          base::minutes(13 * 60), true);
    }
    const core::WeekTime monday_evening{18 * 3600};
    const auto night = history.forecast(monday_evening, std::nullopt);
    EXPECT_GT(night.p10, base::minutes(4 * 60));
    EXPECT_NEAR(night.p50.seconds() / 3600.0, 13.0, 0.8);
    EXPECT_LT(night.p10, night.p50);
    EXPECT_LE(night.p50, night.p90);
    // At a quarter to seven it is about to leave.
    const auto soon = history.forecast({core::day_s + 6 * 3600 + 45 * 60}, std::nullopt);
    EXPECT_LT(soon.p50, base::minutes(45));
}

TEST(StayForecast, a_time_to_be_ready_at_is_believed) {
    const StayHistory history;
    const core::WeekTime evening{20 * 3600};
    const auto ready = history.forecast(evening, base::minutes(10 * 60));
    const auto any = history.forecast(evening, std::nullopt);
    EXPECT_LT(ready.p50, any.p50);
    EXPECT_LE(ready.p90, base::minutes(11 * 60 + 30));
}

TEST(StayForecast, nonsense_spans_do_no_harm) {
    StayHistory history;
    for (const double s : {0.0, -5.0, 1e12, std::nan("")})
        history.stood({core::week_s - 1},
                      base::Duration{static_cast<std::int64_t>(std::isnan(s) ? 0 : s)}, true);
    const auto forecast = history.forecast({0}, base::Duration{-5});
    EXPECT_GT(forecast.p10, base::Duration{});
    EXPECT_LE(forecast.p90, stay_max);
}

}  // namespace
}  // namespace idlewatt::forecast
