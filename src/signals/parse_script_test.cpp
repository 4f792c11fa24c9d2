// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <string>

#include <gtest/gtest.h>

#include "signals/script.hpp"

namespace idlewatt::signals {
namespace {

constexpr std::string_view head = "name = \"t\"\nduration_s = 100\n";

std::string complaint(const std::string& body) {
    const auto script = parse_script(std::string(head) + body, "t.toml");
    return script ? "none" : script.error().message;
}

struct Wrong {
    const char* body;  // its first line is line 3
    const char* message;
};

TEST(ParseScript, SaysWhatIsWrongWhereAndWhatWouldBeRight) {
    const Wrong wrongs[] = {
        {"duratoin_s = 5",
         "t.toml:3: unknown key 'duratoin_s' in the script; the nearest right key is 'duration_s'"},
        {"[owner]\nconsnet = true",
         "t.toml:4: unknown key 'consnet' in [owner]; the nearest right key is 'consent'"},
        {"[initial]\noccupid = true",
         "t.toml:4: unknown key 'occupid' in [initial]; the nearest right key is 'occupied'"},
        {"[[event]]\nat_s = 1\nset = { ocupied = true }",
         "t.toml:5: unknown key 'ocupied' in set of [[event]]; the nearest right key is "
         "'occupied'"},
        {"[owner]\nreserve_percent = 101",
         "t.toml:4: reserve_percent in [owner] must be a number from 0 to 100"},
        {"[owner]\nreserve_percent = nan", "must be a number from 0 to 100"},
        {"[owner]\nfloor_percent = 60", "must not be above reserve_percent"},
        {"[owner]\nconsent = 1", "t.toml:4: consent in [owner] must be true or false"},
        {"owner = 3", "owner in the script must be a table"},
        {"[initial]\nparked = 1", "must be true, false, \"missing\" or \"frozen\""},
        {"[initial]\nstate_of_charge_percent = -1", "must be 0 to 100, \"missing\" or \"frozen\""},
        {"event = 3", "each under [[event]]"},
        {"[[event]]\ncaption = \"a\"", "at_s in [[event]] is missing"},
        {"[[event]]\nat_s = 101\ncaption = \"a\"",
         "t.toml:4: at_s in [[event]] must be a number from 0 to 100"},
        {"[[event]]\nat_s = 1", "stands alone"},
        {"[[event]]\nat_s = 1\naction = \"explode\"", "must be kill_agent, kill_engine"},
        {"[[event]]\nat_s = 1\ncaption = \"a\"\nvehicles = \"some\"",
         "t.toml:6: vehicles in [[event]] must be \"all\""},
        {"[[event]]\nat_s = 1\ncaption = \"a\"\nvehicles = [-1]", "vehicles in [[event]]"},
        {"[[event]]\nat_s = 1\ncaption = \"a\"\nvehicles = 1.5", "vehicles in [[event]]"},
        {"[[event]]\nat_s = 1\ncaption = \"a\"\nuntil_s = 5", "needs every_s"},
        {"[[event]]\nat_s = 1\ncaption = \"a\"\nevery_s = 0.1",
         "every_s in [[event]] must be a number from 1"},
        {"x = [", "t.toml:3: not TOML"},
        {"[=", "t.toml: not TOML: a [header] or a key is malformed"},
        {"\n\u00e9 = 1", "t.toml:4: a character that is not ASCII stands outside"},
        {"x = \"\"\"\na\"\"\"", "t.toml:3: a text must stand in one line"},
    };
    for (const Wrong& wrong : wrongs) {
        const std::string got = complaint(wrong.body);
        EXPECT_NE(got.find(wrong.message), std::string::npos)
            << wrong.body << "\n gave: " << got << "\n expected: " << wrong.message;
    }
}

TEST(ParseScript, HasBounds) {
    EXPECT_EQ(complaint("# " + std::string(script_bytes_max, 'x')),
              "t.toml: has more than 1048576 bytes");
    EXPECT_NE(complaint("[[event]]\nat_s = 1\ncaption = \"" + std::string(201, 'x') + "\"")
                  .find("at most 200 bytes"),
              std::string::npos);
    std::string many;
    for (std::size_t i = 0; i <= script_events_max; ++i) {
        many += "[[event]]\nat_s = 1\ncaption = \"x\"\n";
    }
    EXPECT_NE(complaint(many).find("at most 1000"), std::string::npos);
    const auto repeated = parse_script(
        "name = \"t\"\nduration_s = 86400\n[[event]]\nat_s = 0\nevery_s = 1\ncaption = \"x\"\n");
    ASSERT_FALSE(repeated);
    EXPECT_NE(repeated.error().message.find("at most 10000"), std::string::npos);
    EXPECT_NE(complaint(std::string(40, 'a') + std::string(33, '.') + " = 1").find("dots"),
              std::string::npos);
    EXPECT_NE(complaint("x = " + std::string(5'000, '[')).find("not TOML"), std::string::npos);
}

TEST(ParseScript, BeginsWithAParkedCarAndWithoutConsent) {
    const auto script = parse_script(head);
    ASSERT_TRUE(script) << script.error().message;
    EXPECT_FALSE(script->owner.consent);
    const auto at = [&script](core::SignalId id) {
        return script->initial[static_cast<std::size_t>(id)];
    };
    EXPECT_EQ(at(core::SignalId::occupied), reported(0.0));
    EXPECT_EQ(at(core::SignalId::parked), reported(1.0));
    EXPECT_EQ(at(core::SignalId::plugged_in), reported(1.0));
    EXPECT_EQ(at(core::SignalId::state_of_charge_percent), reported(80.0));
}

TEST(ParseScript, KnowsWhenItsDayBegins) {
    const auto script = parse_script(std::string(head) + "starts_at_s = 21600\n");
    ASSERT_TRUE(script) << script.error().message;
    EXPECT_EQ(script->starts_at, base::minutes(6 * 60));
    EXPECT_FALSE(parse_script(std::string(head) + "starts_at_s = 86400\n"));
}

TEST(ParseScript, TakesAnyLanguageInTextsAndComments) {
    const auto script = parse_script(
        "name = \"Feierabend \u2013 f\u00fcnf Autos\" # \u00e9\nduration_s = 10\n"
        "[[event]]\nat_s = 1 # \"\ncaption = 'a \"\u00e9.............................\u00e9'\n"
        "[[event]]\nat_s = 1\ncaption = \"\\\"\u00e9\\\\\"\n");
    ASSERT_TRUE(script) << script.error().message;
    EXPECT_EQ(script->captions[1].text, "\"\u00e9\\");
}

TEST(ParseScript, RepeatsAndSorts) {
    const auto script = parse_script(std::string(head) +
                                     "[[event]]\nat_s = 50\ncaption = \"late\"\n"
                                     "[[event]]\nat_s = 10\nevery_s = 30\nuntil_s = 90\n"
                                     "action = \"kill_engine\"\ncaption = \"often\"\n");
    ASSERT_TRUE(script) << script.error().message;
    ASSERT_EQ(script->actions.size(), 3u);
    EXPECT_EQ(script->actions[2].moment.at, base::seconds(70));
    ASSERT_EQ(script->captions.size(), 4u);
    EXPECT_EQ(script->captions[2].text, "late");
}

TEST(Vehicles, AreChosenForAnyFleet) {
    const auto chosen = [](const Vehicles& vehicles, std::uint32_t count) {
        std::vector<std::uint32_t> found;
        for (std::uint32_t i = 0; i < count; ++i) {
            if (const auto rank = vehicles.rank_of(i, count)) {
                EXPECT_EQ(rank->first, found.size());
                found.push_back(i);
            }
        }
        for (const std::uint32_t i : found) {
            EXPECT_EQ(vehicles.rank_of(i, count)->second, found.size());
        }
        return found;
    };
    using List = std::vector<std::uint32_t>;
    using enum Vehicles::Kind;
    EXPECT_EQ(chosen({all, {}, 0}, 3), (List{0, 1, 2}));
    EXPECT_EQ(chosen({all_but_one, {}, 0}, 3), (List{1, 2}));
    EXPECT_EQ(chosen({all_but_one, {}, 0}, 1), List{});
    EXPECT_EQ(chosen({listed, {0, 2, 9}, 0}, 3), (List{0, 2}));
    EXPECT_EQ(chosen({share, {}, 0.5}, 6), (List{3, 4, 5}));
    EXPECT_EQ(chosen({share, {}, 0.5}, 1), List{});
    EXPECT_EQ(chosen({share, {}, 1.0}, 2), (List{0, 1}));
}

TEST(Vehicles, FollowOneAnotherWithinTheGivenTime) {
    const Moment moment{
        base::seconds(10), base::seconds(100), {Vehicles::Kind::all_but_one, {}, 0}};
    EXPECT_EQ(moment.of(0, 5), std::nullopt);
    EXPECT_EQ(moment.of(1, 5), base::seconds(10));
    EXPECT_EQ(moment.of(4, 5), base::seconds(85));
}

TEST(Actions, HaveNames) {
    for (int i = 0; i < 6; ++i) {
        const auto kind = static_cast<ActionKind>(i);
        EXPECT_EQ(find_action(name(kind)), kind);
    }
    EXPECT_EQ(find_action("explode"), std::nullopt);
}

}  // namespace
}  // namespace idlewatt::signals
