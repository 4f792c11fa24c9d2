// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The vectors of some inputs, a few inputs to a question: so a long list can be paused, and what
// the engine says at once stays small.
#pragma once

#include <cstdint>

#include "engine/embedding.hpp"
#include "engine/llama_stream.hpp"

namespace idlewatt::engine {

inline constexpr std::size_t embedding_batch_inputs = 16;

class LlamaEmbeddingStream final : public LlamaStream {
public:
    LlamaEmbeddingStream(EngineLink link, Generation generation, Request request,
                         StreamHandler handler, std::function<void()> heard);

private:
    void start() override { ask_batch(0); }
    void resumed() override;
    void refuse(std::uint32_t status, const std::string& message) override;
    void ask_batch(std::size_t from);
    void take_batch(std::size_t from, EmbeddingAnswer answer);

    Request request_;
    std::size_t next_ = 0;  // the first input of the batch that waits for the end of a pause
    bool waiting_ = false;
};

}  // namespace idlewatt::engine
