// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/gguf_file_type.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "engine/random_model.hpp"

namespace idlewatt::engine {
namespace {

class GgufFileType : public ::testing::Test {
protected:
    void SetUp() override {
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-gguf-XXXXXX";
        folder_ = mkdtemp(pattern.data());
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::string model(WeightType weights) {
        RandomModelShape shape;
        shape.layers = 1;
        shape.width = 64;
        shape.heads = 2;
        shape.key_value_heads = 1;
        shape.feed_forward = 64;
        shape.weights = weights;
        const std::string path = folder_ + "/model.gguf";
        EXPECT_TRUE(write_random_model(path, shape, 1));
        return path;
    }

    std::string folder_;
};

TEST_F(GgufFileType, TellsTheWeightsOfOurOwnModels) {
    EXPECT_EQ(read_file_type(model(WeightType::f32)), FileType::f32);
    EXPECT_EQ(read_file_type(model(WeightType::f16)), FileType::f16);
    EXPECT_EQ(read_file_type(model(WeightType::q8_0)), FileType::other);
}

TEST_F(GgufFileType, SurvivesDamagedHeaders) {
    std::ifstream file(model(WeightType::f32), std::ios::binary);
    std::ostringstream whole;
    whole << file.rdbuf();
    const std::string header = whole.str().substr(0, 4096);
    base::Prng prng(3);
    const std::string path = folder_ + "/damaged.gguf";
    for (int round = 0; round < 2000; ++round) {
        std::string bytes = header.substr(0, prng.below(header.size()));
        for (int hit = 0; hit < 4 && !bytes.empty(); ++hit) {
            bytes[prng.below(std::min<std::size_t>(bytes.size(), 200))] =
                static_cast<char>(prng.next());
        }
        std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
        const auto type = read_file_type(path);
        EXPECT_TRUE(type || !type.error().message.empty());
    }
    EXPECT_FALSE(read_file_type(folder_ + "/nothing.gguf"));
}

}  // namespace
}  // namespace idlewatt::engine
