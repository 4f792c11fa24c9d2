// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Three kinds of time that must not be mixed: a span, a point on a loop's monotonic clock, and a
// point on the calendar. Only the monotonic kind is compared with deadlines; the calendar is for
// people, signatures and schedules, and may jump.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace idlewatt::base {

struct Duration {
    std::int64_t ns = 0;

    [[nodiscard]] constexpr double seconds() const { return static_cast<double>(ns) * 1e-9; }
    [[nodiscard]] constexpr double milliseconds() const { return static_cast<double>(ns) * 1e-6; }
    [[nodiscard]] constexpr std::int64_t whole_milliseconds() const { return ns / 1'000'000; }

    friend constexpr auto operator<=>(Duration, Duration) = default;
    friend constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
    friend constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
    friend constexpr Duration operator*(Duration a, std::int64_t n) { return {a.ns * n}; }
    friend constexpr Duration operator/(Duration a, std::int64_t n) { return {a.ns / n}; }
};

[[nodiscard]] constexpr Duration microseconds(std::int64_t n) {
    return {n * 1'000};
}
[[nodiscard]] constexpr Duration milliseconds(std::int64_t n) {
    return {n * 1'000'000};
}
[[nodiscard]] constexpr Duration seconds(std::int64_t n) {
    return {n * 1'000'000'000};
}
[[nodiscard]] constexpr Duration minutes(std::int64_t n) {
    return seconds(60 * n);
}
[[nodiscard]] constexpr Duration from_seconds(double s) {
    return {static_cast<std::int64_t>(s * 1e9)};
}

// A point on one loop's monotonic clock; meaningless in any other process.
struct Instant {
    std::int64_t ns = 0;

    friend constexpr auto operator<=>(Instant, Instant) = default;
    friend constexpr Instant operator+(Instant t, Duration d) { return {t.ns + d.ns}; }
    friend constexpr Instant operator-(Instant t, Duration d) { return {t.ns - d.ns}; }
    friend constexpr Duration operator-(Instant a, Instant b) { return {a.ns - b.ns}; }
};

// The far future: "no deadline".
inline constexpr Instant never{INT64_MAX};

// Microseconds since 1970-01-01T00:00:00Z.
struct WallTime {
    std::int64_t us = 0;

    friend constexpr auto operator<=>(WallTime, WallTime) = default;
    friend constexpr WallTime operator+(WallTime t, Duration d) { return {t.us + d.ns / 1'000}; }
    friend constexpr Duration operator-(WallTime a, WallTime b) { return {(a.us - b.us) * 1'000}; }
};

// RFC 3339 in UTC with milliseconds, as in 2026-11-22T10:15:00.250Z.
[[nodiscard]] std::string to_rfc3339(WallTime time);

}  // namespace idlewatt::base
