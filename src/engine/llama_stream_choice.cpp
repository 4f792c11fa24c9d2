// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Which endpoint answers which request.
#include <utility>

#include "engine/llama_chat_stream.hpp"
#include "engine/llama_completion_stream.hpp"
#include "engine/llama_embedding_stream.hpp"
#include "engine/llama_stream.hpp"

namespace idlewatt::engine {

std::shared_ptr<LlamaStream> make_llama_stream(EngineLink link, Generation generation,
                                               StreamHandler handler, std::function<void()> heard) {
    auto request = read_request(generation.request_json, generation.task);
    if (request && request->task == core::Task::embedding) {
        return std::make_shared<LlamaEmbeddingStream>(std::move(link), std::move(generation),
                                                      std::move(*request), std::move(handler),
                                                      std::move(heard));
    }
    // The chat endpoint lets a model think and call in its own way, and say anything before.
    const bool bound = request && request->calls_demanded && !link.reasoning && !request->images;
    if (bound) {
        request->form_json = request->calls_form_json;
        request->held = true;
    }
    const bool own_syntax =
        request && request->task == core::Task::chat && !request->held &&
        (request->tools || request->images || link.reasoning || !request->form_json.empty());
    if (own_syntax) {
        return std::make_shared<LlamaChatStream>(std::move(link), std::move(generation),
                                                 std::move(*request), std::move(handler),
                                                 std::move(heard));
    }
    return std::make_shared<LlamaCompletionStream>(std::move(link), std::move(generation),
                                                   std::move(request), std::move(handler),
                                                   std::move(heard));
}

}  // namespace idlewatt::engine
