// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/time.hpp"

#include <cstdio>
#include <ctime>

namespace idlewatt::base {

std::string to_rfc3339(WallTime time) {
    std::int64_t whole_s = time.us / 1'000'000;
    std::int64_t rest_us = time.us % 1'000'000;
    if (rest_us < 0) {
        rest_us += 1'000'000;
        --whole_s;
    }
    const std::time_t clock = static_cast<std::time_t>(whole_s);
    std::tm utc{};
    gmtime_r(&clock, &utc);
    char text[48];
    const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(rest_us / 1000));
    return text;
}

}  // namespace idlewatt::base
