// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A plain answer: template and tokens of the prompt, then /completion from exactly the tokens that
// the client has. Counts tokens as the engine counts them and names their ids where it can.
// Also calls that are demanded, as JSON by a schema, held back until the answer ends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/completion.hpp"
#include "engine/llama_stream.hpp"

namespace idlewatt::engine {

class LlamaCompletionStream final : public LlamaStream {
public:
    LlamaCompletionStream(EngineLink link, Generation generation, base::Result<Request> request,
                          StreamHandler handler, std::function<void()> heard);

private:
    void start() override;
    void take(std::string_view body) override;

    void check(const std::string& guess);
    void teach();
    void count_prompt(const std::string& prompt);
    void complete(const Input& prompt);
    void end_held();
    void take_event(const CompletionEvent& event);
    void look_for_capabilities(const CompletionEvent& event);
    void queue_held();
    void release_whole();
    bool release_calls(core::Finished& finished);

    base::Result<Request> request_;
    CompletionEvents events_;
    core::Piece held_;  // tokens whose text the engine holds back
    HeldLogprobs held_logprobs_;
    core::Piece whole_;  // of an answer that is held back
    std::uint32_t counted_ = 0;
    bool named_ids_ = false;
};

}  // namespace idlewatt::engine
