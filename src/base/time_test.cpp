// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/time.hpp"

#include <cerrno>

#include <gtest/gtest.h>

#include "base/result.hpp"

namespace idlewatt::base {
namespace {

TEST(Time, IsWrittenAsRfc3339) {
    EXPECT_EQ(to_rfc3339({0}), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(to_rfc3339({1'795'342'500'250'999}), "2026-11-22T10:15:00.250Z");
    EXPECT_EQ(to_rfc3339({-1}), "1969-12-31T23:59:59.999Z");
    EXPECT_EQ(to_rfc3339({951'782'400'000'000}), "2000-02-29T00:00:00.000Z");
}

TEST(Time, ConvertsBetweenUnits) {
    EXPECT_EQ(seconds(2) + milliseconds(5), microseconds(2'005'000));
    EXPECT_EQ(minutes(2), seconds(120));
    EXPECT_EQ(from_seconds(0.25), milliseconds(250));
    EXPECT_DOUBLE_EQ(milliseconds(1'500).seconds(), 1.5);
    EXPECT_EQ(microseconds(1'999).whole_milliseconds(), 1);
    EXPECT_EQ((Instant{500} + Duration{7}) - Instant{500}, Duration{7});
    EXPECT_EQ(WallTime{10} + microseconds(5), WallTime{15});
    EXPECT_EQ(WallTime{15} - WallTime{10}, microseconds(5));
    EXPECT_LT(Instant{INT64_MAX - 1}, never);
}

TEST(Result, CarriesKindAndText) {
    const Result<int> failed = fail(ErrorKind::denied, "no key");
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().kind, ErrorKind::denied);
    EXPECT_EQ(name(ErrorKind::limit_exceeded), "limit_exceeded");
    errno = ENOENT;
    EXPECT_EQ(fail_errno("x.toml").value().message, "x.toml: No such file or directory");
}

}  // namespace
}  // namespace idlewatt::base
