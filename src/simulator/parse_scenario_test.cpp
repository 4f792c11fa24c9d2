// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <gtest/gtest.h>

#include "simulator/scenario.hpp"

namespace idlewatt::simulator {
namespace {

std::string complaint(const std::string& text) {
    const auto parsed = parse_scenario(text, "s.toml");
    return parsed ? "" : parsed.error().message;
}

TEST(ParseScenario, ReadsWhatIsThereAndKeepsDefaults) {
    const auto parsed = parse_scenario(R"(
name = "n"
checks = ["answers", "owner"]
reach = ["a.b"]
[setup]
vehicles = 7
token_ms = 2.5
[clients]
pause_s = [0.5, 2]
[weather]
latency_ms = [1, 3]
reorder = true
[[fault]]
kind = "agent_killed"
per_minute = 4
lasts_s = [1, 2]
[[event]]
kind = "occupied"
at_s = 3
all_but = 1
)");
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    EXPECT_EQ(parsed->vehicles, 7u);
    EXPECT_EQ(parsed->slots, 2u);
    EXPECT_EQ(parsed->token_time, base::microseconds(2500));
    EXPECT_EQ(parsed->clients.pause.max, base::seconds(2));
    EXPECT_EQ(parsed->weather.latency_max, base::milliseconds(3));
    ASSERT_EQ(parsed->rates.size(), 1u);
    EXPECT_EQ(parsed->rates[0].kind, FaultKind::agent_killed);
    ASSERT_EQ(parsed->timed.size(), 1u);
    EXPECT_EQ(parsed->timed[0].all_but, 1u);
    EXPECT_EQ(parsed->checks.size(), 2u);
}

TEST(ParseScenario, SaysWhatIsWrongAndWhere) {
    EXPECT_NE(complaint("checks = [\"answers\"]\n[setup]\nvehicle = 3").find("s.toml:3"),
              std::string::npos);
    EXPECT_NE(complaint("checks = [\"answers\"]\n[setup]\nvehicle = 3").find("'vehicles'"),
              std::string::npos);
    EXPECT_NE(complaint("name = \"x\"").find("at least one check"), std::string::npos);
    EXPECT_NE(complaint("checks = [\"answer\"]").find("unknown check 'answer'"), std::string::npos);
    EXPECT_NE(complaint("checks = [\"answers\"]\n[[fault]]\nkind = \"fire\"").find("'fire'"),
              std::string::npos);
    EXPECT_NE(complaint("checks = [\"answers\"]\n[weather]\nloss = 2").find("0 to 0.5"),
              std::string::npos);
    EXPECT_NE(complaint("checks = [\"answers\"]\n[clients]\npause_s = [3, 1]").find("two numbers"),
              std::string::npos);
    EXPECT_NE(complaint("x = {,a").find("not TOML"), std::string::npos);
}

TEST(ParseScenario, NamesAFileThatIsNotThere) {
    const auto loaded = load_scenario("/nowhere/x.toml");
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(loaded.error().kind, base::ErrorKind::not_found);
}

}  // namespace
}  // namespace idlewatt::simulator
