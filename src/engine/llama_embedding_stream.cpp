// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/llama_embedding_stream.hpp"

#include <algorithm>
#include <utility>

namespace idlewatt::engine {

LlamaEmbeddingStream::LlamaEmbeddingStream(EngineLink link, Generation generation, Request request,
                                           StreamHandler handler, std::function<void()> heard)
    : LlamaStream(std::move(link), std::move(generation), std::move(handler), std::move(heard)),
      request_(std::move(request)) {}

void LlamaEmbeddingStream::ask_batch(std::size_t from) {
    const std::size_t count = std::min(embedding_batch_inputs, request_.inputs.size() - from);
    const std::span<const Input> batch(request_.inputs.data() + from, count);
    ask("/v1/embeddings", embedding_body(batch), [this, from, count](const std::string& body) {
        auto answer = read_embeddings(body, count);
        if (!answer)
            return fail(answer.error().message);
        take_batch(from, std::move(*answer));
    });
}

// It calls this an error of its own; but a shorter input is the client's to send.
void LlamaEmbeddingStream::refuse(std::uint32_t status, const std::string& message) {
    if (message.find("too large to process") != std::string::npos)
        return reject(400, "an input has more tokens than one batch of the engine: " + message);
    LlamaStream::refuse(status, message);
}

void LlamaEmbeddingStream::take_batch(std::size_t from, EmbeddingAnswer answer) {
    prompt_tokens_ += answer.prompt_tokens;
    for (std::size_t i = 0; i < answer.vectors.size(); ++i) {
        core::Embedding embedding;
        embedding.index = static_cast<std::uint32_t>(from + i);
        embedding.values = std::move(answer.vectors[i]);
        enqueue({std::move(embedding), {}});
    }
    next_ = from + answer.vectors.size();
    if (next_ == request_.inputs.size()) {
        core::Finished finished;
        finished.prompt_tokens = prompt_tokens_;
        finish(finished);
    } else {
        waiting_ = true;
    }
    flush();
    if (!ended() && !paused())
        resumed();
}

void LlamaEmbeddingStream::resumed() {
    if (std::exchange(waiting_, false))
        ask_batch(next_);
}

}  // namespace idlewatt::engine
