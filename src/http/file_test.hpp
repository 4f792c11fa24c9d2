// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A file for a test; goes with its owner.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include <unistd.h>

namespace idlewatt::http {

class TestFile {
public:
    explicit TestFile(std::string text) : text_(std::move(text)) {
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-file-XXXXXX";
        const int descriptor = mkstemp(pattern.data());
        close(descriptor);
        path_ = pattern;
        std::ofstream(path_, std::ios::binary) << text_;
    }
    ~TestFile() { std::filesystem::remove(path_); }
    TestFile(const TestFile&) = delete;
    TestFile& operator=(const TestFile&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] const std::string& text() const { return text_; }
    void shorten(std::uint64_t bytes) const { std::filesystem::resize_file(path_, bytes); }

private:
    std::string text_;
    std::string path_;
};

}  // namespace idlewatt::http
