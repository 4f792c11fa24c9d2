// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/tap.hpp"

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <gtest/gtest.h>

namespace idlewatt::engine {
namespace {

class TapTest : public ::testing::Test {
protected:
    std::string path = ::testing::TempDir() + "idlewatt_tap_" + std::to_string(::getpid());

    void TearDown() override { std::filesystem::remove(path); }

    void write(const std::string& data) {
        const auto tap = TapWriter::open(path);
        ASSERT_TRUE(tap) << tap.error().message;
        (*tap)->write(TapDirection::from_engine, 7, base::WallTime{5}, "label", data);
    }
};

TEST_F(TapTest, GivesBackWhatWasWritten) {
    write(std::string("a\0b", 3));
    write("");
    const auto frames = read_tap(path);
    ASSERT_TRUE(frames);
    ASSERT_EQ(frames->size(), 2U);
    EXPECT_EQ(frames->front(), (TapFrame{TapDirection::from_engine, 7, base::WallTime{5}, "label",
                                         std::string("a\0b", 3)}));
}

TEST_F(TapTest, ATornFrameIsLeftOutAndThenOverwritten) {
    write("first");
    const auto whole = std::filesystem::file_size(path);
    write("second");
    const auto end = std::filesystem::file_size(path);
    for (auto size = end - 1; size > whole; --size) {
        std::filesystem::resize_file(path, size);
        const auto frames = read_tap(path);
        ASSERT_TRUE(frames);
        EXPECT_EQ(frames->size(), 1U);
    }
    write("third");
    const auto frames = read_tap(path);
    ASSERT_TRUE(frames);
    ASSERT_EQ(frames->size(), 2U);
    EXPECT_EQ(frames->back().data, "third");
}

TEST_F(TapTest, GarbageIsAnError) {
    std::ofstream(path) << std::string(100, 'x');
    EXPECT_FALSE(read_tap(path));
    EXPECT_FALSE(read_tap(path + ".missing"));
}

}  // namespace
}  // namespace idlewatt::engine
