// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/llama_completion_stream.hpp"

#include <algorithm>
#include <utility>

#include "base/prng.hpp"
#include "core/id.hpp"
#include "engine/contract_check.hpp"
#include "engine/demanded_calls.hpp"

namespace idlewatt::engine {

LlamaCompletionStream::LlamaCompletionStream(EngineLink link, Generation generation,
                                             base::Result<Request> request, StreamHandler handler,
                                             std::function<void()> heard)
    : LlamaStream(std::move(link), std::move(generation), std::move(handler), std::move(heard)),
      request_(std::move(request)) {}

// ── before the answer ───────────────────────────────────────────────────────────────────────────

void LlamaCompletionStream::start() {
    if (!request_)
        return reject(400, request_.error().message);
    if (request_->task == core::Task::chat) {
        const bool fresh = generation().resume.empty() && !at_limit(*request_);
        if (const auto guess = fresh && link().templates
                                   ? link().templates->guess(request_->template_json)
                                   : std::nullopt) {
            set_unsure(!guess->sure);
            complete(guess->prompt);
            if (!guess->sure)
                check(guess->prompt);
            return;
        }
        return ask("/apply-template", request_->template_json, [this](const std::string& body) {
            const auto prompt = templated_prompt(body);
            if (!prompt)
                return fail(prompt.error().message);
            count_prompt(*prompt);
            teach();
        });
    }
    if (const auto* text = std::get_if<std::string>(&request_->prompt))
        return count_prompt(*text);
    prompt_tokens_ = static_cast<std::uint32_t>(std::get<core::TokenIds>(request_->prompt).size());
    complete(request_->prompt);
}

// The engine renders the chat while it already reads what we took for it.
void LlamaCompletionStream::check(const std::string& guess) {
    ask_beside("/apply-template", request_->template_json,
               [this, guess](const base::Result<Response>& response) {
                   if (!response)
                       return fail(response.error().message);
                   const bool good = response->status == 200;
                   const auto prompt = good ? templated_prompt(response->body)
                                            : base::Result<std::string>(std::string());
                   if (!prompt)
                       return fail(prompt.error().message);
                   const bool right = good && *prompt == guess;
                   if (good)
                       link().templates->was(right, request_->template_json);
                   if (right) {
                       set_unsure(false);
                       return flush();
                   }
                   start_over();
                   events_ = {};
                   held_ = whole_ = {};
                   held_logprobs_ = {};
                   counted_ = 0;
                   named_ids_ = false;
                   if (!good)
                       return refuse(response->status, error_message(response->body));
                   complete(*prompt);
               });
}

// For the next chat like this one.
void LlamaCompletionStream::teach() {
    if (!link().templates || ended())
        return;
    const auto lesson = link().templates->lesson(request_->template_json);
    if (!lesson)
        return;
    ask_beside("/apply-template", *lesson, [this](const base::Result<Response>& response) {
        if (!response || response->status != 200)
            return;
        if (const auto rendered = templated_prompt(response->body))
            link().templates->learn(request_->template_json, *rendered);
    });
}

// The prompt's own tokens are counted apart from those of the resumed part.
void LlamaCompletionStream::count_prompt(const std::string& prompt) {
    if (generation().resume.empty() && !at_limit(*request_))
        return complete(prompt);
    ask("/tokenize", tokenize_body(prompt, true), [this](const std::string& body) {
        auto ids = tokenized(body);
        if (!ids)
            return fail(ids.error().message);
        prompt_tokens_ = static_cast<std::uint32_t>(ids->size());
        complete(*ids);
    });
}

void LlamaCompletionStream::complete(const Input& prompt) {
    if (at_limit(*request_))
        return finish_early(core::FinishReason::length);
    // Calls that are demanded stand behind whatever was said.
    if (request_->held && !request_->calls_demanded && !generation().resume.empty())
        return end_held();
    stream("/completion", completion_body(*request_, prompt, generation().resume));
}

// What was held back was said in one piece: whoever has it has the whole answer.
void LlamaCompletionStream::end_held() {
    finish_early(core::FinishReason::stop);
}

// ── the answer ──────────────────────────────────────────────────────────────────────────────────

void LlamaCompletionStream::take(std::string_view body) {
    take_events(events_, body, [this](const CompletionEvent& event) { take_event(event); });
}

void LlamaCompletionStream::take_event(const CompletionEvent& event) {
    if (ended())
        return;
    // Behind a resumed part it counts that, too.
    if (event.tokens_evaluated != 0 && generation().resume.empty())
        prompt_tokens_ = event.tokens_evaluated;
    look_for_capabilities(event);
    // An engine that does not count leaves us to count what it shows.
    const std::uint32_t shown = static_cast<std::uint32_t>(event.ids.size());
    const std::uint32_t predicted = event.counts         ? event.tokens_predicted
                                    : event.text.empty() ? counted_ + shown
                                                         : counted_ + std::max(shown, 1U);
    if (predicted > counted_) {
        held_.token_count += predicted - counted_;
        counted_ = predicted;
        held_.ids.insert(held_.ids.end(), event.ids.begin(), event.ids.end());
    }
    // A call has none.
    if (request_->top_logprobs && !request_->calls_demanded && !event.logprobs_json.empty()) {
        held_logprobs_.append(event.logprobs_json, *request_->top_logprobs);
        if (held_logprobs_.bytes() > logprobs_held_bytes_max)
            return reject_held("logprobs");
    }
    if (!event.text.empty()) {
        if (request_->held && whole_.text.size() + event.text.size() > piece_text_bytes_max)
            return reject_held(request_->calls_demanded ? "calls" : "words in a form");
        held_.text = event.text;
        queue_held();
    }
    if (event.last) {
        core::Finished finished;
        finished.reason = event.reason;
        if (request_->calls_demanded) {
            if (!release_calls(finished))
                return;
        } else {
            release_whole();
        }
        finished.generated_tokens = counted_;
        finished.prompt_tokens = prompt_tokens_;
        finished.cached_tokens = std::min(event.cached_tokens, finished.prompt_tokens);
        finish(finished);
    }
}

void LlamaCompletionStream::queue_held() {
    Queued queued;
    if (held_.ids.size() != held_.token_count) {
        if (!held_.ids.empty())
            queued.last_id = held_.ids.back();
        held_.ids.clear();
    }
    if (request_->held) {
        const core::Piece piece = std::exchange(held_, {});
        whole_.text += piece.text;
        whole_.token_count += piece.token_count;
        return;
    }
    queued.delivery = std::exchange(held_, {});
    enqueue_with(held_logprobs_, std::move(queued), Rest::before);
}

// The text comes first and in one piece: whoever has it has the whole answer.
void LlamaCompletionStream::release_whole() {
    if (!whole_.text.empty())
        enqueue_with(held_logprobs_, {std::exchange(whole_, {}), {}}, Rest::behind);
}

// False: there is none, and that has ended the answer.
bool LlamaCompletionStream::release_calls(core::Finished& finished) {
    static std::uint64_t answers = 0;
    base::Prng prng(static_cast<std::uint64_t>(link().loop.wall_now().us) + (++answers << 52));
    core::Piece piece;
    piece.tool_calls = read_demanded_calls(whole_.text, [&] {
        return "call_" + core::make_time_ordered_id(link().loop.wall_now(), prng);
    });
    if (finished.reason == core::FinishReason::stop) {
        // Also behind whole ones: a client must not get fewer calls than were made.
        if (calls_without_object(whole_.text)) {
            reject(400, "the schema of a function's parameters must allow nothing but an object");
            return false;
        }
        if (piece.tool_calls.empty()) {
            fail("the engine ended the answer without the call that was demanded");
            return false;
        }
        finished.reason = core::FinishReason::tool_calls;
    }
    piece.token_count = whole_.token_count;
    if (!piece.tool_calls.empty())
        enqueue({std::move(piece), {}});
    return true;
}

// Every chunk but the last, which may hold only a rest of text, names its newest token.
void LlamaCompletionStream::look_for_capabilities(const CompletionEvent& event) {
    named_ids_ = named_ids_ || !event.ids.empty();
    if (event.last || event.text.empty() || !link().lacks)
        return;
    if (!named_ids_)
        link().lacks(capability_names_ids);
    if (!event.counts)
        link().lacks(capability_counts_tokens);
}

}  // namespace idlewatt::engine
