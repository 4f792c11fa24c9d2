// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/durable_file.hpp"

#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace idlewatt::base {
namespace {

class DurableFileTest : public testing::Test {
protected:
    DurableFileTest() {
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-file-XXXXXX";
        folder = ::mkdtemp(pattern.data());
        path = folder + "/file";
    }
    ~DurableFileTest() override { std::filesystem::remove_all(folder); }
    std::string folder;
    std::string path;
};

TEST_F(DurableFileTest, ReplacesAndIsForItsOwnerAlone) {
    std::ofstream(path + ".new") << "left behind by a life that ended";
    std::filesystem::permissions(path + ".new", std::filesystem::perms::all);
    ASSERT_TRUE(write_durably(path, "first"));
    ASSERT_TRUE(write_durably(path, std::string("\0second", 7)));
    EXPECT_EQ(*read_whole(path, 7), std::string("\0second", 7));
    struct stat file {};
    ASSERT_EQ(::stat(path.c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777U, 0600U);
    EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST_F(DurableFileTest, SaysWhatIsWrong) {
    EXPECT_EQ(read_whole(path, 10).error().kind, ErrorKind::not_found);
    ASSERT_TRUE(write_durably(path, "12345678901"));
    EXPECT_EQ(read_whole(path, 10).error().kind, ErrorKind::limit_exceeded);
    EXPECT_TRUE(read_whole(path, 11));
    EXPECT_FALSE(write_durably(folder + "/nowhere/file", "x"));
    std::filesystem::create_directory(folder + "/folder");
    EXPECT_FALSE(write_durably(folder + "/folder", "x"));
    EXPECT_FALSE(std::filesystem::exists(folder + "/folder.new"));
}

}  // namespace
}  // namespace idlewatt::base
