// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Writes models with random weights: GGUF files of llama architecture and any shape, for tests,
// load and the first demonstration. They speak nonsense, but readable, varied nonsense that ends
// by itself after some hundred tokens. The same shape and seed give the same bytes everywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace idlewatt::engine {

enum class WeightType { f32, f16, q8_0 };

[[nodiscard]] base::Result<WeightType> weight_type_named(std::string_view name);

// What the model's words mean to an engine.
enum class RandomSyntax {
    plain,     // a chat with tools in its template, as most models have
    thinking,  // it also has marks for its thoughts and its calls, and uses them at random
};

struct RandomModelShape {
    std::uint32_t layers = 4;
    std::uint32_t width = 192;  // a multiple of the heads; of 32 for q8_0
    std::uint32_t heads = 6;
    std::uint32_t key_value_heads = 3;  // divides the heads
    std::uint32_t feed_forward = 512;   // a multiple of 32 for q8_0
    std::uint32_t context_tokens = 8192;
    WeightType weights = WeightType::f32;
    RandomSyntax syntax = RandomSyntax::plain;
    std::string name = "random weights";  // in the file's header
};

inline constexpr std::uint32_t random_model_context_tokens_min = 2048;

// Blocks for as long as the disk takes. The file appears whole or not at all.
[[nodiscard]] base::Result<void> write_random_model(const std::string& path,
                                                    const RandomModelShape& shape,
                                                    std::uint64_t seed);

}  // namespace idlewatt::engine
