// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Scripts come from strangers: whatever the bytes, the answer is a script within its bounds or a
// clear error, and memory stays bounded.
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <sys/resource.h>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "base/simulated_loop.hpp"
#include "signals/scripted_signals.hpp"

namespace idlewatt::signals {
namespace {

constexpr int mutants = 10'000;
constexpr long memory_growth_kb_max = 128 * 1024;

std::string read(const std::string& name) {
    std::ifstream file(std::string(IDLEWATT_SOURCE_DIR) + "/examples/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
}

const std::vector<std::string>& fragments() {
    static const std::vector<std::string> list{"nan",
                                               "inf",
                                               "-inf",
                                               "1e308",
                                               "-1",
                                               "0",
                                               "99999999999999999999",
                                               "0x7fffffffffffffff",
                                               "true",
                                               "\"\"",
                                               "\"missing\"",
                                               "\"frozen\"",
                                               "[[event]]\n",
                                               "[owner]\n",
                                               "[",
                                               "]",
                                               "{",
                                               "}",
                                               "= ",
                                               "\n",
                                               "\r",
                                               std::string(1, '\0'),
                                               "\xff\xfe",
                                               "\"\"\"",
                                               "'''",
                                               "\\u0000",
                                               "\\U0010ffff",
                                               ".",
                                               "a.b.c.d.e",
                                               "1979-05-27T07:32:00Z",
                                               "[[[[[[[[[[[[[[[[",
                                               "at_s = 1\n",
                                               "set = { occupied = true }\n",
                                               "every_s = 1\n",
                                               "vehicles = [0, 1, 1000000]\n",
                                               "vehicles = 1e-300\n",
                                               "#"};
    return list;
}

std::string mutate(std::string text, base::Prng& prng) {
    const std::uint64_t edits = 1 + prng.below(6);
    for (std::uint64_t i = 0; i < edits; ++i) {
        const std::size_t at = prng.below(text.size() + 1);
        const std::size_t length = prng.below(1 + std::min<std::size_t>(text.size() - at, 40));
        switch (prng.below(6)) {
            case 0:
                text.erase(at, length);
                break;
            case 1:
                text.insert(at, fragments()[prng.below(fragments().size())]);
                break;
            case 2:
                text.replace(at, length, fragments()[prng.below(fragments().size())]);
                break;
            case 3:
                text.insert(prng.below(text.size() + 1), text.substr(at, length * 8));
                break;
            case 4:
                text.resize(at);
                break;
            default:
                if (at < text.size())
                    text[at] = static_cast<char>(prng.below(256));
        }
    }
    return text;
}

long peak_memory_kb() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

void expect_within_bounds(const Script& script) {
    EXPECT_LE(script.events.size() + script.actions.size() + script.captions.size(),
              script_moments_max);
    EXPECT_GE(script.duration, base::seconds(1));
    EXPECT_TRUE(script.owner.reserve_percent >= 0.0 && script.owner.reserve_percent <= 100.0);
    EXPECT_TRUE(script.owner.floor_percent <= script.owner.reserve_percent);
    for (const Caption& caption : script.captions)
        EXPECT_LE(caption.at, script.duration);
    // It can be played.
    base::SimulatedLoop loop;
    auto source = make_scripted_signals(loop, script, {1, 3, 5'000.0, loop.wall_now()});
    source->start([](core::SignalId, core::SignalReading reading) {
        EXPECT_TRUE(!reading.value || (*reading.value >= 0.0 && *reading.value <= 100.0));
    });
    loop.run_for(base::seconds(2));
}

TEST(ScriptMutation, GivesAScriptWithinBoundsOrAClearError) {
    const std::vector<std::string> seeds{read("always_parked.toml"), read("scripted_day.toml")};
    for (const std::string& seed : seeds)
        ASSERT_TRUE(parse_script(seed));
    const long before_kb = peak_memory_kb();
    base::Prng prng(20'261'101);
    int good = 0;
    for (int i = 0; i < mutants; ++i) {
        const std::string mutant = mutate(seeds[prng.below(seeds.size())], prng);
        const auto script = parse_script(mutant, "mutant");
        if (script) {
            ++good;
            if (good % 10 == 0)
                expect_within_bounds(*script);
            continue;
        }
        const std::string& message = script.error().message;
        ASSERT_EQ(message.rfind("mutant:", 0), 0u) << message;
        ASSERT_GT(message.size(), 12u);
        ASSERT_LT(message.size(), 600u);
    }
    EXPECT_GT(good, mutants / 50);  // mutants come near enough to be interesting
    EXPECT_LT(good, mutants * 49 / 50);
    EXPECT_LT(peak_memory_kb() - before_kb, memory_growth_kb_max);
    RecordProperty("good", good);
}

// The largest file made of what costs most memory.
TEST(ScriptMutation, StaysBoundedForFullFiles) {
    for (const std::string& unit :
         {std::string("[[event]]\n"), std::string("a = [[[[[["), std::string("[a.b.c.d.e.f.g.h]\n"),
          std::string("1,"), std::string("{a={a="), std::string("\"\"\"")}) {
        std::string text = unit == "1," ? "x = [" : "";
        while (text.size() + unit.size() <= script_bytes_max)
            text += unit;
        const auto script = parse_script(text);
        ASSERT_FALSE(script);
        EXPECT_LT(script.error().message.size(), 600u);
    }
}

}  // namespace
}  // namespace idlewatt::signals
