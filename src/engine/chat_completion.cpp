// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/chat_completion.hpp"

#include <algorithm>

#include "engine/engine_json.hpp"

namespace idlewatt::engine {

namespace {

CallPart read_call(const Json& json) {
    const Json& function = member(json, "function");
    return {count_of(member(json, "index")), text_of(member(json, "id")),
            text_of(member(function, "name")), text_of(member(function, "arguments"))};
}

void read_timings(const Json& timings, ChatEvent& event) {
    if (!timings.is_object())
        return;
    event.counts = timings.contains("predicted_n");
    event.tokens_predicted = count_of(member(timings, "predicted_n"));
    event.cached_tokens = count_of(member(timings, "cache_n"));
    event.tokens_evaluated = event.cached_tokens + count_of(member(timings, "prompt_n"));
}

// Counts tokens of the whole answer, also those that never became text.
void read_usage(const Json& usage, ChatEvent& event) {
    if (!usage.is_object())
        return;
    event.counts = true;
    event.tokens_predicted = count_of(member(usage, "completion_tokens"));
    event.tokens_evaluated = count_of(member(usage, "prompt_tokens"));
}

ChatEvent read_chat_event(const Json& json) {
    ChatEvent event;
    read_timings(member(json, "timings"), event);
    read_usage(member(json, "usage"), event);
    const Json& choices = member(json, "choices");
    if (!choices.is_array() || choices.empty())
        return event;
    const Json& delta = member(choices[0], "delta");
    event.text = text_of(member(delta, "content"));
    event.reasoning = text_of(member(delta, "reasoning_content"));
    if (const Json& calls = member(delta, "tool_calls"); calls.is_array()) {
        for (const Json& call : calls)
            event.calls.push_back(read_call(call));
    }
    if (const Json& entries = member(member(choices[0], "logprobs"), "content"); !entries.empty())
        event.logprobs_json = dump(entries);
    const std::string reason = text_of(member(choices[0], "finish_reason"));
    if (!reason.empty()) {
        event.reason = reason == "length"       ? core::FinishReason::length
                       : reason == "tool_calls" ? core::FinishReason::tool_calls
                                                : core::FinishReason::stop;
    }
    return event;
}

}  // namespace

std::string chat_body(const Request& request, const Said& said) {
    Json body = Json::parse(request.fields_json);
    body.update(Json::parse(request.chat_json));
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
    body["timings_per_token"] = true;
    body["cache_prompt"] = request.cache_prompt;
    body["reasoning_format"] = "auto";
    if (request.top_logprobs) {
        body["logprobs"] = true;
        // None at all would switch them off.
        body["top_logprobs"] = std::max(*request.top_logprobs, 1U);
    }
    if (request.tokens_max)
        body["max_tokens"] = *request.tokens_max - std::min(*request.tokens_max, said.tokens);
    if (!said.text.empty() || !said.reasoning.empty()) {
        Json message = {{"role", "assistant"}, {"content", said.text}};
        if (!said.reasoning.empty())
            message["reasoning_content"] = said.reasoning;
        body["messages"].push_back(std::move(message));
        body["add_generation_prompt"] = false;
        body["continue_final_message"] = true;
        body["echo"] = false;
    }
    return dump(body);
}

base::Result<std::optional<std::variant<ChatEvent, EngineError>>> ChatEvents::next() {
    using Event = std::variant<ChatEvent, EngineError>;
    auto event = events_.next();
    if (!event)
        return tl::unexpected<base::Error>(event.error());
    if (!*event)
        return std::nullopt;
    const Json json = Json::parse((*event)->json, nullptr, false);
    if ((*event)->is_error || is_set(json, "error")) {
        if (auto error = event_error(**event))
            return Event(std::move(*error));
    }
    if (!json.is_object()) {
        return base::fail(base::ErrorKind::bad_input, "the engine sent an event that is no JSON");
    }
    return Event(read_chat_event(json));
}

void CallBook::take(const CallPart& part) {
    if (part.index >= core::tool_calls_max)
        return;
    if (part.index >= calls_.size())
        calls_.resize(part.index + 1);
    core::ToolCall& call = calls_[part.index];
    if (!part.id.empty())
        call.id = part.id;
    bytes_ += part.name.size() + part.arguments.size();
    call.name += part.name;
    call.arguments_json += part.arguments;
}

std::vector<core::ToolCall> CallBook::whole() const {
    std::vector<core::ToolCall> calls;
    for (const core::ToolCall& call : calls_) {
        if (!call.name.empty() && Json::accept(call.arguments_json))
            calls.push_back(call);
    }
    return calls;
}

}  // namespace idlewatt::engine
