// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Walks through the header of a GGUF file. The file is a stranger's: every length is checked
// against limits before it is believed. Blocks for small reads. Private to this module; any thread.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <fstream>
#include <functional>
#include <string>

#include "base/result.hpp"
#include "engine/gguf_file_type.hpp"

namespace idlewatt::engine {

// Little-endian, as nearly all GGUF files are and as this program writes them.
class GgufReader {
public:
    explicit GgufReader(const std::string& path) : file_(path, std::ios::binary) {}

    // False from the first read beyond the file or the limits on.
    [[nodiscard]] bool good() const { return file_.good() && !over_; }

    [[nodiscard]] std::uint32_t u32();
    [[nodiscard]] std::uint64_t u64();
    // Longer than the limit: no longer good.
    [[nodiscard]] std::string text(std::uint64_t bytes_max);
    void skip(std::uint64_t bytes);
    // From the beginning of the file.
    [[nodiscard]] std::uint64_t bytes_read() const { return taken_; }

private:
    [[nodiscard]] bool take(std::uint64_t bytes);

    std::ifstream file_;
    std::uint64_t taken_ = 0;
    bool over_ = false;
};

inline constexpr std::uint32_t gguf_type_u32 = 4;
inline constexpr std::uint32_t gguf_type_string = 8;

// What a visitor did with an entry's value: left it, read it, or wants no more of the file.
enum class GgufStep { skip, read, stop };

struct GgufVisitor {
    std::function<GgufStep(const std::string& key, std::uint32_t type, GgufReader&)> on_entry;
    // For each tensor, with the product of its dimensions, and then the file must be long enough
    // for all their values; empty: the walk ends after the entries.
    std::function<void(std::uint64_t values)> on_tensor{};
};

// bad_input: not GGUF, damaged or cut off; io: the file cannot be read.
[[nodiscard]] base::Result<void> walk_gguf(const std::string& path, const GgufVisitor& visitor);

}  // namespace idlewatt::engine
