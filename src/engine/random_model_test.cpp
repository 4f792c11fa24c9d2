// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/random_model.hpp"

#include <filesystem>
#include <fstream>
#include <set>

#include <unistd.h>

#include <gtest/gtest.h>

#include "engine/random_vocabulary.hpp"

namespace idlewatt::engine {
namespace {

std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class RandomModelTest : public ::testing::Test {
protected:
    std::string path = ::testing::TempDir() + "idlewatt_model_" + std::to_string(::getpid());
    RandomModelShape shape{
        .layers = 1, .width = 64, .heads = 4, .key_value_heads = 2, .feed_forward = 96};

    void TearDown() override { std::filesystem::remove(path); }

    std::string written(std::uint64_t seed) {
        const auto result = write_random_model(path, shape, seed);
        EXPECT_TRUE(result) << (result ? "" : result.error().message);
        return content(path);
    }
};

TEST_F(RandomModelTest, TheSeedDecidesTheBytes) {
    const std::string first = written(1);
    EXPECT_TRUE(first.starts_with("GGUF"));
    EXPECT_EQ(written(1), first);
    EXPECT_NE(written(2), first);
}

TEST_F(RandomModelTest, SmallerWeightsMakeASmallerFile) {
    const std::size_t f32 = written(1).size();
    shape.weights = WeightType::f16;
    const std::size_t f16 = written(1).size();
    shape.weights = WeightType::q8_0;
    const std::size_t q8_0 = written(1).size();
    EXPECT_LT(f16, f32);
    EXPECT_LT(q8_0, f16);
}

TEST_F(RandomModelTest, AnImpossibleShapeIsRefusedWithAReason) {
    const auto refused = [&](RandomModelShape wrong) {
        const auto result = write_random_model(path, wrong, 1);
        return !result && !result.error().message.empty() && !std::filesystem::exists(path);
    };
    EXPECT_TRUE(refused({.layers = 0}));
    EXPECT_TRUE(refused({.width = 100}));
    EXPECT_TRUE(refused({.key_value_heads = 4}));
    EXPECT_TRUE(refused({.context_tokens = 100}));
    EXPECT_TRUE(refused({.feed_forward = 100, .weights = WeightType::q8_0}));
}

TEST_F(RandomModelTest, AFullDiskIsAnErrorAndLeavesNothing) {
    const auto result = write_random_model("/dev/full/model", shape, 1);
    EXPECT_FALSE(result);
    const auto nowhere = write_random_model("/nonexistent/model", shape, 1);
    ASSERT_FALSE(nowhere);
    EXPECT_NE(nowhere.error().message.find("/nonexistent/model"), std::string::npos);
}

TEST(RandomVocabulary, HasEveryByteTheSpaceAndNothingTwice) {
    const RandomVocabulary vocabulary = random_vocabulary();
    EXPECT_EQ(vocabulary.texts.size(), vocabulary.scores.size());
    EXPECT_EQ(vocabulary.texts.size(), vocabulary.types.size());
    EXPECT_EQ(vocabulary.texts.size(), vocabulary.biases.size());
    const std::set<std::string> all(vocabulary.texts.begin(), vocabulary.texts.end());
    EXPECT_EQ(all.size(), vocabulary.texts.size());
    EXPECT_TRUE(all.contains("\xe2\x96\x81"));
    EXPECT_TRUE(all.contains("<0x00>") && all.contains("<0xFF>"));
}

}  // namespace
}  // namespace idlewatt::engine
