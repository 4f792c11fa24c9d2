// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How a model file stores its weights, read from the header alone. The file is a stranger's: every
// length is checked against limits before it is believed. Blocks for one small read. Any thread.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace idlewatt::engine {

// llama.cpp's general.file_type; only what a caller tells apart.
enum class FileType { f32, f16, other };

inline constexpr std::uint64_t gguf_header_bytes_max = std::uint64_t{256} * 1024 * 1024;
inline constexpr std::uint64_t gguf_entries_max = 65'536;

// A file without the entry is "other". Not a GGUF file, or a damaged one: an error.
[[nodiscard]] base::Result<FileType> read_file_type(const std::string& path);

// The file says how token vectors become one, as models made for embeddings do.
[[nodiscard]] bool names_pooling(const std::string& path);

}  // namespace idlewatt::engine
