// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/demo_story.hpp"

#include <algorithm>
#include <cstdio>

#include <gtest/gtest.h>

namespace idlewatt::cli {
namespace {

using base::minutes;
using base::seconds;

constexpr std::string_view small_day = R"(
name = "small"
duration_s = 7200
starts_at_s = 82800
repeat = true
[[event]]
at_s = 0
caption = "All work."
[[event]]
at_s = 600
vehicles = "all_but_one"
over_s = 120
set = { occupied = true, locked = false }
caption = "Some leave."
[[event]]
at_s = 1200
vehicles = "all_but_one"
set = { occupied = false }
[[event]]
at_s = 3000
vehicles = [1]
set = { occupied = "missing" }
[[event]]
at_s = 3600
vehicles = [2]
action = "kill_engine"
caption = "One is killed."
)";

signals::Script story(std::string_view toml) {
    auto script = signals::parse_script(toml);
    EXPECT_TRUE(script) << script.error().message;
    return *script;
}

TEST(DemoStory, KnowsItsHourAndItsCaption) {
    const signals::Script script = story(small_day);
    EXPECT_EQ(clock_of(script, seconds(0)), minutes(23 * 60));
    EXPECT_EQ(clock_of(script, seconds(3660)), seconds(60));
    EXPECT_EQ(clock_of(script, seconds(7200)), minutes(23 * 60));  // it begins again
    EXPECT_EQ(caption_at(script, seconds(-1)), "");
    EXPECT_EQ(caption_at(script, seconds(599)), "All work.");
    EXPECT_EQ(caption_at(script, seconds(600)), "Some leave.");
    EXPECT_EQ(caption_at(script, seconds(7199)), "One is killed.");
    EXPECT_EQ(caption_at(script, seconds(7200 + 5)), "All work.");
    EXPECT_EQ(caption_time(script, 0), seconds(600));
    EXPECT_EQ(caption_time(script, 2), seconds(3600));  // to the end
    signals::Script once = script;
    once.repeat = false;
    EXPECT_EQ(caption_at(once, seconds(7200 + 5)), "One is killed.");
}

TEST(DemoStory, KnowsWhenCarsAreLost) {
    const signals::Script script = story(small_day);
    const std::vector<base::Duration> expected{seconds(600), seconds(660), seconds(3000),
                                               seconds(3600)};
    EXPECT_EQ(departures(script, 3), expected);
    EXPECT_EQ(departures(script, 1), std::vector<base::Duration>{});
}

// What the demonstration promises to show, at any size of the fleet.
TEST(DemoStory, TheDayThatIsPlayedHasMorningRecallKillAndEvening) {
    const auto loaded =
        signals::load_script(std::string(IDLEWATT_SOURCE_DIR) + "/examples/scripted_day.toml");
    ASSERT_TRUE(loaded) << loaded.error().message;
    const signals::Script& day = *loaded;
    EXPECT_TRUE(day.repeat);
    EXPECT_EQ(day.duration, minutes(24 * 60));
    EXPECT_GE(departures(day, 6).size(), 20U);
    EXPECT_GE(day.captions.size(), 10U);
    base::Duration before = minutes(-60);
    for (const signals::Caption& caption : day.captions) {
        SCOPED_TRACE(caption.text);
        // The story's clock and the words of a caption agree, and there is time to read it: at the
        // usual speed an hour takes 2.5 seconds.
        const std::int64_t at_minutes = clock_of(day, caption.at).ns / minutes(1).ns;
        char clock[32];
        std::snprintf(clock, sizeof clock, "%02d:%02d ", static_cast<int>(at_minutes / 60),
                      static_cast<int>(at_minutes % 60));
        EXPECT_TRUE(caption.text.starts_with(clock));
        EXPECT_GE(caption.at - before, minutes(60));
        EXPECT_LE(caption.text.size(), 2U * 78U);
        before = caption.at;
    }
    for (const char* word : {"leave", "gets in", "kill -9", "come home"}) {
        EXPECT_TRUE(std::ranges::any_of(day.captions, [&](const signals::Caption& caption) {
            return caption.text.find(word) != std::string::npos;
        })) << word;
    }
}

}  // namespace
}  // namespace idlewatt::cli
