// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/subject_tree.hpp"

#include <map>

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::bus {
namespace {

using base::Prng;

std::string random_subject(Prng& prng, bool pattern) {
    static const std::vector<std::string> words = {"a", "b", "c", "aa"};
    std::string subject;
    const std::uint64_t tokens = 1 + prng.below(4);
    for (std::uint64_t i = 0; i < tokens; ++i) {
        if (i > 0)
            subject += '.';
        if (pattern && prng.chance(0.3)) {
            subject += '*';
        } else {
            subject += words[prng.below(words.size())];
        }
    }
    if (pattern && prng.chance(0.3))
        subject += ".>";
    return subject;
}

// Says the same as matches(), token by token from a copy: slow and plain.
bool matches_plainly(const std::vector<std::string>& pattern,
                     const std::vector<std::string>& subject) {
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == ">")
            return subject.size() > i;
        if (i >= subject.size())
            return false;
        if (pattern[i] != "*" && pattern[i] != subject[i])
            return false;
    }
    return pattern.size() == subject.size();
}

std::vector<std::string> tokens(const std::string& text) {
    std::vector<std::string> out(1);
    for (const char c : text) {
        if (c == '.') {
            out.emplace_back();
        } else {
            out.back() += c;
        }
    }
    return out;
}

TEST(Subject, matcher_agrees_with_the_plain_definition) {
    Prng prng(1);
    int hits = 0;
    for (int i = 0; i < 200'000; ++i) {
        const std::string pattern = random_subject(prng, true);
        const std::string subject = random_subject(prng, false);
        ASSERT_TRUE(valid_pattern(pattern)) << pattern;
        ASSERT_TRUE(valid_subject(subject)) << subject;
        const bool expected = matches_plainly(tokens(pattern), tokens(subject));
        ASSERT_EQ(matches(pattern, subject), expected) << pattern << " " << subject;
        hits += expected ? 1 : 0;
    }
    EXPECT_GT(hits, 5'000);
}

TEST(Subject, tree_finds_exactly_the_patterns_that_match) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Prng prng(seed);
        SubjectTree tree;
        std::map<std::uint64_t, std::string> all;
        for (std::uint64_t key = 1; key <= 60; ++key) {
            const std::string pattern = random_subject(prng, true);
            tree.insert(pattern, key);
            all.emplace(key, pattern);
            if (prng.chance(0.4)) {
                const auto victim =
                    std::next(all.begin(), static_cast<std::ptrdiff_t>(prng.below(all.size())));
                tree.remove(victim->second, victim->first);
                all.erase(victim);
            }
            const std::string subject = random_subject(prng, false);
            std::vector<std::uint64_t> expected;
            for (const auto& [k, p] : all) {
                if (matches(p, subject))
                    expected.push_back(k);
            }
            ASSERT_EQ(tree.find(subject), expected) << "seed " << seed << ": " << subject;
        }
    }
}

TEST(Subject, malformed_text_is_no_subject) {
    for (const char* text : {"", ".", "a.", ".a", "a..b", "a b", "a\r\nPUB", "a\tb"}) {
        EXPECT_FALSE(valid_subject(text)) << text;
        EXPECT_FALSE(valid_pattern(text)) << text;
    }
    EXPECT_FALSE(valid_subject("a.*"));
    EXPECT_FALSE(valid_subject("a.>"));
    EXPECT_FALSE(valid_pattern("a.>.b"));
    EXPECT_TRUE(valid_subject("a*.b>"));  // a wildcard is a whole token
    EXPECT_FALSE(valid_subject(std::string(subject_bytes_max + 1, 'a')));
}

TEST(Subject, random_bytes_do_no_harm) {
    Prng prng(7);
    SubjectTree tree;
    tree.insert("a.*.>", 1);
    for (int i = 0; i < 100'000; ++i) {
        std::string text;
        const std::uint64_t length = prng.below(12);
        for (std::uint64_t k = 0; k < length; ++k)
            text += ".*>a \n\0b"[prng.below(8)];
        const bool found = !tree.find(text).empty();
        EXPECT_EQ(found, valid_subject(text) && matches("a.*.>", text));
    }
}

}  // namespace
}  // namespace idlewatt::bus
