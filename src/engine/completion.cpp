// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/completion.hpp"

#include <algorithm>
#include <string>

#include "engine/completion_reader.hpp"
#include "engine/engine_json.hpp"

namespace idlewatt::engine {

namespace {

void append(std::string& list, const Input& part) {
    const auto add = [&list](const std::string& one) {
        if (list.back() != '[')
            list += ',';
        list += one;
    };
    if (const auto* text = std::get_if<std::string>(&part))
        return add(dump(Json(*text)));
    for (const std::int32_t id : std::get<core::TokenIds>(part))
        add(std::to_string(id));
}

CompletionEvent read_completion_event(const Json& json) {
    CompletionEvent event;
    if (const Json& tokens = member(json, "tokens"); tokens.is_array()) {
        for (const Json& token : tokens) {
            if (token.is_number_integer())
                event.ids.push_back(token.get<std::int32_t>());
        }
    }
    event.text = text_of(member(json, "content"));
    if (const Json& entries = member(json, "completion_probabilities"); !entries.empty())
        event.logprobs_json = dump(entries);
    event.counts = json.contains("tokens_predicted");
    event.tokens_predicted = count_of(member(json, "tokens_predicted"));
    event.tokens_evaluated = count_of(member(json, "tokens_evaluated"));
    event.last = member(json, "stop") == true;
    if (member(json, "stop_type") == "limit")
        event.reason = core::FinishReason::length;
    event.cached_tokens = count_of(member(member(json, "timings"), "cache_n"));
    return event;
}

}  // namespace

std::string completion_body(const Request& request, const Input& prompt,
                            const core::ResumePoint& resume) {
    // Members behind those of the client's, none of which has such a name (see read_request).
    std::string body = request.fields_json;
    body.pop_back();
    if (body.size() > 1)
        body += ',';
    // One flat list: llama-server takes a nested one for several prompts. A list with one text
    // alone would be taken for a list of prompts with one member: the same.
    body += R"("prompt":[)";
    append(body, prompt);
    for (const auto& segment : resume.segments) {
        if (const auto* text = std::get_if<std::string>(&segment)) {
            append(body, *text);
        } else {
            append(body, std::get<core::TokenIds>(segment));
        }
    }
    body += R"(],"stream":true,"return_tokens":true,"cache_prompt":)";
    body += request.cache_prompt ? "true" : "false";
    body += R"(,"response_fields":["content","tokens","stop","tokens_predicted",)"
            R"("tokens_evaluated","stop_type","timings")";
    body += request.top_logprobs ? R"(,"completion_probabilities"])" : "]";
    if (request.top_logprobs)
        body += R"(,"n_probs":)" + std::to_string(std::max(*request.top_logprobs, 1U));
    if (request.tokens_max) {
        body += R"(,"n_predict":)" +
                std::to_string(*request.tokens_max - std::min(*request.tokens_max, resume.tokens));
    }
    if (!request.form_json.empty()) {
        body += ',';
        body.append(request.form_json, 1, request.form_json.size() - 2);
    }
    return body + '}';
}

base::Result<std::string> templated_prompt(std::string_view response_json) {
    const Json json = Json::parse(response_json, nullptr, false);
    const Json& prompt = member(json, "prompt");
    if (!prompt.is_string()) {
        return base::fail(base::ErrorKind::io,
                          "the engine's /apply-template answered without a prompt");
    }
    return prompt.get<std::string>();
}

base::Result<core::TokenIds> tokenized(std::string_view response_json) {
    const Json json = Json::parse(response_json, nullptr, false);
    const auto broken = [] {
        return base::fail(base::ErrorKind::io, "the engine's /tokenize answered without tokens");
    };
    const Json& tokens = member(json, "tokens");
    if (!tokens.is_array())
        return broken();
    core::TokenIds ids;
    for (const Json& token : tokens) {
        if (!token.is_number_integer())
            return broken();
        ids.push_back(token.get<std::int32_t>());
    }
    return ids;
}

base::Result<std::string> detokenized(std::string_view response_json) {
    const Json json = Json::parse(response_json, nullptr, false);
    const Json& content = member(json, "content");
    if (!content.is_string()) {
        return base::fail(base::ErrorKind::io,
                          "the engine's /detokenize answered without a content");
    }
    return content.get<std::string>();
}

std::string tokenize_body(std::string_view text, bool as_prompt) {
    return dump({{"content", text}, {"add_special", as_prompt}, {"parse_special", as_prompt}});
}

std::string detokenize_body(const core::TokenIds& ids) {
    return dump({{"tokens", ids}});
}

base::Result<std::optional<std::variant<CompletionEvent, CompletionError>>>
CompletionEvents::next() {
    using Event = std::variant<CompletionEvent, CompletionError>;
    auto event = events_.next();
    if (!event)
        return tl::unexpected<base::Error>(event.error());
    if (!*event)
        return std::nullopt;
    if (auto common = (*event)->is_error ? std::nullopt : read_common_event((*event)->json))
        return Event(std::move(*common));
    if (auto error = event_error(**event))
        return Event(std::move(*error));
    const Json json = Json::parse((*event)->json, nullptr, false);
    if (!json.is_object()) {
        return base::fail(base::ErrorKind::bad_input, "the engine sent an event that is no JSON");
    }
    return Event(read_completion_event(json));
}

}  // namespace idlewatt::engine
