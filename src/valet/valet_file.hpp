// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What was learnt as a GGUF file that llama.cpp runs. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/random_model.hpp"
#include "lessons/vocabulary.hpp"
#include "trainer/trainer.hpp"

namespace idlewatt::valet {

inline constexpr const char* model_name = "valet";
inline constexpr std::uint32_t model_context_tokens = 2048;

// The bytes of the file: a few megabytes. Matrices are of the type, norms always f32.
[[nodiscard]] std::string model_file(const trainer::ModelShape& shape,
                                     const lessons::Vocabulary& vocabulary,
                                     const std::vector<trainer::Weights>& weights,
                                     engine::WeightType type);

}  // namespace idlewatt::valet
