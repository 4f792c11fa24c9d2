// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/model_header.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <sys/resource.h>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "engine/random_model.hpp"

namespace idlewatt::engine {
namespace {

class ModelHeaderTest : public testing::Test {
protected:
    void SetUp() override {
        std::string name = std::filesystem::temp_directory_path() / "idlewatt-header-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::string folder_;
};

TEST_F(ModelHeaderTest, reads_what_the_writer_wrote) {
    RandomModelShape shape;
    shape.layers = 1;
    shape.width = 64;
    shape.heads = 2;
    shape.key_value_heads = 1;
    shape.feed_forward = 64;
    shape.context_tokens = 4096;
    const std::pair<WeightType, const char*> types[] = {
        {WeightType::f32, "F32"}, {WeightType::f16, "F16"}, {WeightType::q8_0, "Q8_0"}};
    for (const auto& [type, name] : types) {
        shape.weights = type;
        const std::string path = folder_ + "/" + name;
        ASSERT_TRUE(write_random_model(path, shape, 1));
        const auto header = read_model_header(path);
        ASSERT_TRUE(header) << header.error().message;
        EXPECT_EQ(header->architecture, "llama");
        EXPECT_EQ(header->quantization, name);
        EXPECT_EQ(header->context_tokens, 4096U);
        EXPECT_GT(header->parameters, 10'000U);
        // Weights and the vocabulary make the file.
        EXPECT_LT(header->parameters, std::filesystem::file_size(path));
    }
}

TEST_F(ModelHeaderTest, a_stranger_gets_an_error_or_a_bounded_header) {
    const std::string whole_path = folder_ + "/whole";
    RandomModelShape shape;
    shape.layers = 1;
    shape.width = 64;
    shape.heads = 2;
    shape.key_value_heads = 1;
    shape.feed_forward = 64;
    ASSERT_TRUE(write_random_model(whole_path, shape, 1));
    std::ifstream whole_file(whole_path, std::ios::binary);
    std::string whole(std::istreambuf_iterator<char>(whole_file), {});
    constexpr std::size_t interesting_bytes = 4096;  // the entries with numbers and names
    base::Prng prng(3);
    rusage before{};
    getrusage(RUSAGE_SELF, &before);
    const std::string path = folder_ + "/mutant";
    int damaged = 0;
    for (int i = 0; i < 2'000; ++i) {
        // The list of tokens is long and dull: most mutants end before it.
        std::string bytes = whole.substr(0, i % 10 == 0 ? whole.size() / 2 : interesting_bytes);
        for (std::uint64_t edits = 1 + prng.below(4); edits > 0; --edits)
            bytes[prng.below(std::min(bytes.size(), interesting_bytes))] =
                static_cast<char>(prng.below(256));
        std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
        const auto header = read_model_header(path);
        if (!header) {
            ++damaged;
            EXPECT_NE(header.error().message.find(path), std::string::npos);
            continue;
        }
        EXPECT_LE(header->name.size(), model_word_bytes_max);
        EXPECT_LE(header->architecture.size(), model_word_bytes_max);
    }
    EXPECT_GT(damaged, 1'000);
    rusage after{};
    getrusage(RUSAGE_SELF, &after);
    EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 * 1024);
}

// An engine would refuse it only on the car, when the model before it is gone already.
TEST_F(ModelHeaderTest, a_file_that_is_cut_off_is_refused) {
    RandomModelShape shape;
    shape.layers = 1;
    shape.width = 64;
    shape.heads = 2;
    shape.key_value_heads = 1;
    shape.feed_forward = 64;
    for (const WeightType type : {WeightType::f32, WeightType::f16, WeightType::q8_0}) {
        shape.weights = type;
        const std::string path = folder_ + "/cut";
        ASSERT_TRUE(write_random_model(path, shape, 1));
        const std::uint64_t whole = std::filesystem::file_size(path);
        ASSERT_TRUE(read_model_header(path));
        // Behind the last value are less than 32 bytes that nobody reads.
        for (const std::uint64_t bytes : {whole - 32, whole - 1000, whole / 2}) {
            std::filesystem::resize_file(path, bytes);
            const auto header = read_model_header(path);
            ASSERT_FALSE(header) << bytes << " of " << whole;
            EXPECT_EQ(header.error().kind, base::ErrorKind::bad_input);
            EXPECT_NE(header.error().message.find(path), std::string::npos);
        }
    }
    shape.weights = WeightType::f32;
    const std::string path = folder_ + "/said";
    ASSERT_TRUE(write_random_model(path, shape, 1));
    const std::uint64_t cut = std::filesystem::file_size(path) - 1000;
    std::filesystem::resize_file(path, cut);
    const auto header = read_model_header(path);
    ASSERT_FALSE(header);
    EXPECT_NE(header.error().message.find("has " + std::to_string(cut) + " bytes"),
              std::string::npos)
        << header.error().message;
}

TEST_F(ModelHeaderTest, other_files_are_refused) {
    EXPECT_FALSE(read_model_header(folder_ + "/absent"));
    std::ofstream(folder_ + "/text") << "hello";
    const auto header = read_model_header(folder_ + "/text");
    ASSERT_FALSE(header);
    EXPECT_NE(header.error().message.find("GGUF"), std::string::npos);
}

}  // namespace
}  // namespace idlewatt::engine
