// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Files of settings come from strangers: whatever the bytes, the answer is settings within their
// bounds or an error that names the file, and memory stays bounded.
#include <algorithm>
#include <array>
#include <string>

#include <sys/resource.h>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "config/config.hpp"
#include "config/document.hpp"

namespace idlewatt::config {
namespace {

constexpr int mutants = 12'000;
constexpr long memory_growth_kb_max = 128 * 1024;

const std::array<std::string, 32>& fragments() {
    static const std::array<std::string, 32> list{"nan",
                                                  "-inf",
                                                  "1e308",
                                                  "-1",
                                                  "99999999999999999999",
                                                  "0x7fffffffffffffff",
                                                  "true",
                                                  "\"\"",
                                                  "[[gateway]]\n",
                                                  "[gateway]\n",
                                                  "[cell.nats]\n",
                                                  "[",
                                                  "]",
                                                  "{",
                                                  "}",
                                                  "= ",
                                                  "[=",
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
                                                  std::string(300, '['),
                                                  "port = 1\n",
                                                  "nats = [\"a\", [\"b\"], 3]\n",
                                                  "#"};
    return list;
}

std::string without_comments(std::string text) {
    for (std::size_t at = 0; (at = text.find("\n#", at)) != std::string::npos;) {
        // "#key = value" is switched on, "# A sentence." goes.
        if (text[at + 2] == ' ')
            text.erase(at + 1, text.find('\n', at + 1) - at);
        else
            text.erase(at + 1, 1);
    }
    return text;
}

std::string mutate(std::string text, base::Prng& prng) {
    const std::uint64_t edits = 1 + prng.below(5);
    for (std::uint64_t i = 0; i < edits; ++i) {
        const std::size_t at = prng.below(text.size() + 1);
        const std::size_t length = prng.below(1 + std::min<std::size_t>(text.size() - at, 40));
        const std::string& fragment = fragments()[prng.below(fragments().size())];
        switch (prng.below(6)) {
            case 0:
                text.erase(at, length);
                break;
            case 1:
                text.insert(at, fragment);
                break;
            case 2:
                text.insert(at, text.substr(at, length));
                break;
            case 3:
                text.replace(at, length, fragment);
                break;
            case 4:
                if (at < text.size())
                    text[at] = static_cast<char>(prng.below(256));
                break;
            default:
                text.resize(at);
                break;
        }
    }
    return text;
}

long memory_kb() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

TEST(ConfigMutation, strangers_get_an_error_or_settings) {
    const std::string whole = without_comments(example_file());
    const std::string small = "[gateway]\nport = 80\nlisten = \"::1\"\n[cell]\nnats = [\"a\"]\n";
    base::Prng prng(20'261'122);
    const long before = memory_kb();
    int taken = 0;
    for (int i = 0; i < mutants; ++i) {
        const std::string text = mutate(i % 4 == 0 ? whole : small, prng);
        Settings settings;
        const auto read = settings.read_toml(text, Origin::project, "stranger.toml");
        if (!read) {
            EXPECT_EQ(read.error().kind, base::ErrorKind::bad_input);
            EXPECT_TRUE(read.error().message.starts_with("stranger.toml")) << read.error().message;
            EXPECT_LT(read.error().message.size(), 500U);
            continue;
        }
        ++taken;
        const std::int64_t port = settings.integer("gateway.port");
        EXPECT_TRUE(port >= 0 && port <= 65'535) << port;
        EXPECT_LE(settings.list("cell.nats").size(), list_entries_max);
        for (const Setting& setting : schema())
            EXPECT_LE(settings.text(setting.key).size(), value_bytes_max);
    }
    EXPECT_GT(taken, mutants / 50);
    EXPECT_LT(taken, mutants);
    EXPECT_LT(memory_kb() - before, memory_growth_kb_max);
}

TEST(ConfigMutation, flags_and_environment_are_strangers_too) {
    base::Prng prng(7);
    for (int i = 0; i < 2'000; ++i) {
        const Setting& setting = schema()[prng.below(schema().size())];
        std::string text;
        for (std::uint64_t left = prng.below(40); left > 0; --left)
            text += static_cast<char>(prng.below(256));
        Settings settings;
        static_cast<void>(settings.set(setting.key, text, Origin::flag, "--flag"));
        if (setting.type == Type::integer) {
            EXPECT_GE(settings.integer(setting.key), setting.min);
        } else if (setting.type == Type::boolean) {
            static_cast<void>(settings.boolean(setting.key));
        }
    }
}

}  // namespace
}  // namespace idlewatt::config
