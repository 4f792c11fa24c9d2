// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "testing/mutator.hpp"

#include <set>

#include <gtest/gtest.h>

namespace idlewatt::testing {
namespace {

const std::vector<std::string> seeds{R"({"a":[1,{"b":2}]})", "x = 17\ny = 'z'\n", ""};

TEST(Mutator, TheSameSeedGivesTheSameInputs) {
    Mutator one(seeds, 5);
    Mutator other(seeds, 5);
    for (int i = 0; i < 10'000; ++i)
        ASSERT_EQ(one.next(), other.next());
}

TEST(Mutator, InputsAreManyAndBounded) {
    Mutator mutator(seeds, 6);
    std::set<std::string> different;
    std::string grown = seeds[0];
    for (int i = 0; i < 10'000; ++i) {
        different.insert(mutator.next());
        mutator.mutate(grown);
        ASSERT_LE(grown.size(), mutant_bytes_max);
    }
    EXPECT_GT(different.size(), 5'000U);
}

TEST(Mutator, KnowsWordsNumbersLinesAndBrackets) {
    Mutator mutator(seeds, 7);
    std::set<std::string> missing{R"({"a":{"b":2}})", "y = 'z'\n", "x = 17\nx = 17\ny = 'z'\n",
                                  "x = 4294967295\ny = 'z'\n", "x = 17\nx = 'z'\n"};
    for (int i = 0; i < 1'000'000 && !missing.empty(); ++i)
        missing.erase(mutator.next());
    EXPECT_EQ(missing, std::set<std::string>{});
}

}  // namespace
}  // namespace idlewatt::testing
