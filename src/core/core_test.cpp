// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Ids, signals and the limits between them.
#include "core/core.hpp"

#include <set>

#include <gtest/gtest.h>

namespace idlewatt::core {
namespace {

TEST(Id, IsATokenOfSubjectsAndFileNames) {
    for (const char* good : {"a", "car-7", "0_z"})
        EXPECT_TRUE(is_id(good)) << good;
    EXPECT_TRUE(is_id(std::string(id_bytes_max, 'x')));
    EXPECT_FALSE(is_id(std::string(id_bytes_max + 1, 'x')));
    for (const char* bad : {"", "A", "a.b", "a b", "*", ">", "../x", "a/b", "\u00e9", "a\n"}) {
        EXPECT_FALSE(is_id(bad)) << bad;
    }
    EXPECT_FALSE(is_id(std::string_view("a\0b", 3)));
}

TEST(Id, MadeLaterSortsLater) {
    base::Prng prng(3);
    std::set<std::string> all;
    std::string last;
    for (std::int64_t i = 0; i < 1'000; ++i) {
        const std::string id = make_time_ordered_id({1'790'000'000'000'000 + i * 1'000}, prng);
        EXPECT_TRUE(is_id(id));
        EXPECT_EQ(id.size(), 32u);
        EXPECT_LT(last, id);
        all.insert(last = id);
    }
    EXPECT_EQ(all.size(), 1'000u);
    const base::WallTime now{1'790'000'000'000'000};
    EXPECT_NE(make_time_ordered_id(now, prng), make_time_ordered_id(now, prng));
}

TEST(Signal, IsFoundByItsName) {
    for (const SignalInfo& signal : signal_table()) {
        EXPECT_EQ(find_signal(signal.name), signal.id);
        EXPECT_EQ(info(signal.id).name, signal.name);
        EXPECT_GT(signal.fresh_for, base::Duration{});
    }
    EXPECT_EQ(find_signal("Occupied"), std::nullopt);
}

TEST(Signal, IsUnknownUntilItIsSet) {
    SignalSet signals;
    for (const SignalInfo& signal : signal_table())
        EXPECT_FALSE(signals.get(signal.id));
    signals.set(SignalId::moving, {1.0, {5}, {7}});
    EXPECT_EQ(signals.get(SignalId::moving)->value, 1.0);
    EXPECT_FALSE(signals.get(SignalId::parked));
}

TEST(Verdict, IsANoUntilSomebodySaysOtherwise) {
    EXPECT_FALSE(Verdict{}.may_work());
    EXPECT_FALSE(OwnerSettings{}.consent);
}

TEST(WeekTime, CountsFromMonday) {
    // 2026-11-23 was a Monday; half past four in UTC, half past five where an owner lives.
    const base::WallTime monday{1'795'408'200'000'000};
    EXPECT_EQ(week_time(monday, 0), WeekTime{4 * 3600 + 30 * 60});
    EXPECT_EQ(week_time(monday, 3600), WeekTime{5 * 3600 + 30 * 60});
    EXPECT_EQ(weekday(week_time(monday, -5 * 3600)), 6);
    EXPECT_EQ(week_time({0}, 0), WeekTime{3 * day_s});
    for (const std::int64_t us : {INT64_MIN, std::int64_t{-1}, INT64_MAX}) {
        EXPECT_GE(week_time({us}, -day_s).s, 0);
        EXPECT_LT(week_time({us}, day_s).s, week_s);
    }
    EXPECT_EQ(seconds_until({week_s - 1}, {1}), 2);
    EXPECT_EQ(seconds_until({5}, {5}), 0);
}

TEST(Receipt, EveryEndHasAName) {
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(AttemptEnd::interrupted); ++i) {
        names.insert(name(static_cast<AttemptEnd>(i)));
    }
    EXPECT_EQ(names.size(), 7u);
}

TEST(Limits, FitEachOther) {
    // NATS carries at most 1 MiB in a message; parts leave room for the envelope.
    static_assert(message_part_bytes_max <= 512 * 1024);
    static_assert(work_parts_max * message_part_bytes_max >= work_bytes_max);
    static_assert(window_bytes >= message_part_bytes_max);
    // Three announcements may be lost before a car is forgotten.
    static_assert(announcement_period * 3 < announcement_lifetime);
    static_assert(alive_period * 4 < lease_duration);
}

}  // namespace
}  // namespace idlewatt::core
