// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// An answer in a syntax of the model's own, which the engine's chat endpoint reads for us: calls of
// functions, reasoning, pictures. It goes on from text, since this endpoint takes no token ids.
//
// Held back, so that nobody has a part of them when the engine dies: reasoning until the text (or
// the end) begins, and all calls until the answer is over. A second call cannot be continued
// behind a first one, so a piece with calls is always the last of its answer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "engine/chat_completion.hpp"
#include "engine/llama_stream.hpp"

namespace idlewatt::engine {

class LlamaChatStream final : public LlamaStream {
public:
    LlamaChatStream(EngineLink link, Generation generation, Request request, StreamHandler handler,
                    std::function<void()> heard);

private:
    void start() override;
    void take(std::string_view body) override;
    void conclude() override;
    void refuse(std::uint32_t status, const std::string& message) override;

    void count_prompt(std::function<void()> then);
    void take_event(const ChatEvent& event);
    void note_evaluated(std::uint32_t tokens);
    void take_text(std::string_view text);
    void take_reasoning(std::string_view reasoning);
    void release_reasoning();
    bool release_calls();  // false: there are none
    void say(core::Piece piece);
    void end();

    Request request_;
    Said said_;
    ChatEvents events_;
    std::string reasoning_;
    CallBook calls_;
    HeldLogprobs held_logprobs_;
    std::uint32_t counted_ = 0;
    std::uint32_t thought_ = 0;  // of them, before the text began
    std::uint32_t told_ = 0;     // of them, in pieces
    std::uint32_t evaluated_ = 0;
    std::uint32_t cached_ = 0;
    std::optional<core::FinishReason> reason_;
};

}  // namespace idlewatt::engine
