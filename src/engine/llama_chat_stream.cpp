// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/llama_chat_stream.hpp"

#include <algorithm>
#include <utility>

#include "engine/completion.hpp"

namespace idlewatt::engine {

namespace {

// One message between car and gateway holds a piece of a quarter of a megabyte.
constexpr std::size_t reasoning_piece_bytes = 64 * 1024;

}  // namespace

LlamaChatStream::LlamaChatStream(EngineLink link, Generation generation, Request request,
                                 StreamHandler handler, std::function<void()> heard)
    : LlamaStream(std::move(link), std::move(generation), std::move(handler), std::move(heard)),
      request_(std::move(request)) {}

void LlamaChatStream::start() {
    const core::ResumePoint& resume = generation().resume;
    if (at_limit(request_))
        return count_prompt([this] { finish_early(core::FinishReason::length); });
    if (resume.empty())
        return stream("/v1/chat/completions", chat_body(request_, {}));
    ask_said([this, &resume](std::string text) {
        said_ = {std::move(text), resume.reasoning, resume.tokens};
        count_prompt([this] { stream("/v1/chat/completions", chat_body(request_, said_)); });
    });
}

// The prompt's own tokens are counted apart from those of the resumed part.
void LlamaChatStream::count_prompt(std::function<void()> then) {
    if (request_.images)
        return then();  // its tokens are not only text
    ask("/apply-template", request_.template_json, [this, then](const std::string& body) {
        const auto prompt = templated_prompt(body);
        if (!prompt)
            return fail(prompt.error().message);
        ask("/tokenize", tokenize_body(*prompt, true), [this, then](const std::string& tokens) {
            const auto ids = tokenized(tokens);
            if (!ids)
                return fail(ids.error().message);
            prompt_tokens_ = static_cast<std::uint32_t>(ids->size());
            then();
        });
    });
}

void LlamaChatStream::take(std::string_view body) {
    take_events(events_, body, [this](const ChatEvent& event) { take_event(event); });
}

void LlamaChatStream::take_event(const ChatEvent& event) {
    if (ended())
        return;
    const std::uint32_t before =
        std::exchange(counted_, std::max(counted_, event.tokens_predicted));
    thought_ = event.text.empty() ? counted_ : before;
    note_evaluated(event.tokens_evaluated);
    cached_ = std::max(cached_, event.cached_tokens);
    if (request_.top_logprobs && !event.logprobs_json.empty()) {
        held_logprobs_.append(event.logprobs_json, *request_.top_logprobs);
        if (held_logprobs_.bytes() > logprobs_held_bytes_max)
            return reject_held("logprobs");
    }
    take_reasoning(event.reasoning);
    if (reasoning_.size() > held_reasoning_bytes_max)
        return reject_held("thoughts");
    take_text(event.text);
    for (const CallPart& part : event.calls)
        calls_.take(part);
    if (calls_.bytes() > piece_text_bytes_max)
        return reject_held("calls");
    if (event.reason)
        reason_ = event.reason;
    // The last event but one has the reason, the last one the number of tokens.
    if (reason_ && event.counts && event.text.empty() && !event.reason)
        end();
}

// Pictures are counted by the engine alone, together with what was said.
void LlamaChatStream::note_evaluated(std::uint32_t tokens) {
    evaluated_ = std::max(evaluated_, tokens);
    if (said_.tokens == 0 || request_.images)
        prompt_tokens_ = evaluated_ - std::min(said_.tokens, evaluated_);
}

void LlamaChatStream::take_reasoning(std::string_view reasoning) {
    // The client has all of it already, or text that came after it.
    if (said_.reasoning.empty() && said_.text.empty())
        reasoning_ += reasoning;
}

void LlamaChatStream::take_text(std::string_view text) {
    if (text.empty())
        return;
    release_reasoning();
    core::Piece piece;
    piece.text = text;
    say(std::move(piece));
}

void LlamaChatStream::release_reasoning() {
    for (std::string_view rest = reasoning_; !rest.empty();) {
        core::Piece piece;
        piece.token_count = thought_ - std::min(told_, thought_);
        told_ = std::max(told_, thought_);
        const std::size_t bytes = whole_characters(rest, reasoning_piece_bytes);
        piece.reasoning = rest.substr(0, bytes);
        rest.remove_prefix(bytes);
        enqueue({std::move(piece), {}});
    }
    reasoning_.clear();
}

bool LlamaChatStream::release_calls() {
    core::Piece piece;
    piece.tool_calls = calls_.whole();
    if (piece.tool_calls.empty())
        return false;
    say(std::move(piece));
    return true;
}

void LlamaChatStream::say(core::Piece piece) {
    piece.token_count = counted_ - std::min(told_, counted_);
    told_ = std::max(told_, counted_);
    enqueue_with(held_logprobs_, {std::move(piece), {}}, Rest::before);
}

void LlamaChatStream::end() {
    release_reasoning();
    const bool called = release_calls();
    // Its grammar makes sure of a call; a cut comes first, and an engine need not have a grammar.
    if (request_.calls_demanded && !called && *reason_ != core::FinishReason::length)
        return fail("the engine ended the answer without the call that was demanded");
    core::Finished finished;
    finished.reason = *reason_;
    finished.generated_tokens = counted_;
    finished.prompt_tokens = prompt_tokens_;
    finished.cached_tokens = std::min(cached_, finished.prompt_tokens);
    finish(finished);
}

// It calls pictures that it cannot see an error of its own.
void LlamaChatStream::refuse(std::uint32_t status, const std::string& message) {
    if (request_.images && message.find("not supported") != std::string::npos)
        return reject(400, message);
    LlamaStream::refuse(status, message);
}

void LlamaChatStream::conclude() {
    if (!reason_)
        return LlamaStream::conclude();
    end();
    flush();
}

}  // namespace idlewatt::engine
