// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a model file says about itself, read from its header alone, for a registry of models. The
// file is a stranger's. Blocks for small reads. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace idlewatt::engine {

inline constexpr std::size_t model_word_bytes_max = 256;

struct ModelHeader {
    std::string name;          // general.name; empty: it does not say
    std::string architecture;  // "llama"
    std::string quantization;  // "F16", "Q4_K_M"; empty: it does not say
    std::uint64_t parameters = 0;
    std::uint32_t context_tokens = 0;  // 0: it does not say
};

// bad_input: not a GGUF file, a damaged one, or one that ends before its last tensor does; io: it
// cannot be read.
[[nodiscard]] base::Result<ModelHeader> read_model_header(const std::string& path);

}  // namespace idlewatt::engine
