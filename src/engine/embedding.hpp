// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Translation between inputs and llama-server's /v1/embeddings. Values only, no I/O.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "engine/request.hpp"

namespace idlewatt::engine {

[[nodiscard]] std::string embedding_body(std::span<const Input> inputs);

struct EmbeddingAnswer {
    std::vector<std::string> vectors;  // float32, little-endian; in the order of the inputs
    std::uint32_t prompt_tokens = 0;
};

// An answer with other than so many vectors of one length is an error.
[[nodiscard]] base::Result<EmbeddingAnswer> read_embeddings(std::string_view response_json,
                                                            std::size_t inputs);

}  // namespace idlewatt::engine
