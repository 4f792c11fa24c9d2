// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The GGUF file format, version 3: little-endian metadata, a table of tensors, then their data.
// Builds the head in memory and streams the tensors, so that a model may be larger than memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "engine/random_model.hpp"

namespace idlewatt::engine {

class GgufHead {
public:
    void add(std::string_view key, std::uint32_t value);
    void add(std::string_view key, float value);
    void add(std::string_view key, bool value);
    void add(std::string_view key, std::string_view value);
    void add(std::string_view key, const std::vector<std::string>& values);
    void add(std::string_view key, const std::vector<float>& values);
    void add(std::string_view key, const std::vector<std::int32_t>& values);

    // Tensors are written in the order in which they are added. Columns vary fastest.
    void add_tensor(std::string_view name, std::uint64_t columns, std::uint64_t rows,
                    WeightType type);

    // The head's bytes, padded to where the data begins.
    [[nodiscard]] std::string bytes() const;

private:
    void begin(std::string_view key, std::uint32_t type);
    void begin_array(std::string_view key, std::uint32_t type, std::uint64_t count);

    std::string values_;
    std::string tensors_;
    std::uint64_t value_count_ = 0;
    std::uint64_t tensor_count_ = 0;
    std::uint64_t offset_ = 0;
};

// One row of a tensor in its type's encoding; for q8_0 a multiple of 32 values.
void encode_row(std::span<const float> row, WeightType type, std::string& out);
// Zeros up to where the next tensor begins.
void pad_tensor(std::string& out, std::uint64_t tensor_bytes);
[[nodiscard]] std::uint64_t tensor_bytes(std::uint64_t columns, std::uint64_t rows,
                                         WeightType type);

}  // namespace idlewatt::engine
