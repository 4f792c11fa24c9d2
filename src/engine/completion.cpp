// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/completion.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <nlohmann/json.hpp>

namespace idlewatt::engine {

namespace {

using Json = nlohmann::json;

constexpr std::size_t error_text_bytes_max = 400;
constexpr std::size_t pending_bytes_kept = 64 * 1024;
constexpr std::size_t request_depth_max = 64;

// What renders the prompt.
constexpr std::array template_fields = {"messages",
                                        "tools",
                                        "tool_choice",
                                        "parallel_tool_calls",
                                        "reasoning_effort",
                                        "chat_template_kwargs",
                                        "add_generation_prompt"};

// Everything else goes on to the engine, except what would break the stream or touch other users:
constexpr std::array kept_back = {
    // renders the prompt, or is set by us
    "messages", "tools", "tool_choice", "parallel_tool_calls", "reasoning_effort",
    "chat_template_kwargs", "add_generation_prompt", "prompt", "stream", "stream_options",
    "max_tokens", "max_completion_tokens", "n_predict", "stop", "logit_bias", "cache_prompt",
    "return_tokens", "response_fields", "return_progress", "sse_ping_interval",
    // names a slot or an adapter that other requests use too
    "id_slot", "lora", "n_cache_reuse",
    // costs a millisecond a token and is not delivered on this path
    "n_probs", "logprobs", "top_logprobs", "post_sampling_probs", "timings_per_token",
    // several answers in one stream
    "n", "n_cmpl",
    // starts at its root, so an answer cut in the middle could not go on
    "grammar", "json_schema", "response_format", "grammar_lazy", "grammar_triggers",
    // OpenAI's fields that mean nothing to an engine
    "model", "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
    "functions", "function_call", "modalities", "audio", "prediction", "web_search_options",
    "verbosity"};

// With these the answer must have a form that this path cannot promise after a resumption.
constexpr std::array refused = {"grammar", "json_schema"};

tl::unexpected<base::Error> bad(std::string message) {
    return base::fail(base::ErrorKind::bad_input, std::move(message));
}

// Before a tree is built: writing and destroying one takes stack for every level.
bool is_too_deep(std::string_view text) {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        if ((c == '{' || c == '[') && ++depth > request_depth_max)
            return true;
        if ((c == '}' || c == ']') && depth > 0)
            --depth;
    }
    return false;
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <class Names>
bool contains(const Names& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

base::Result<std::optional<std::uint32_t>> token_limit(const Json& request) {
    for (const char* name : {"max_completion_tokens", "max_tokens", "n_predict"}) {
        const auto found = request.find(name);
        if (found == request.end() || found->is_null())
            continue;
        if (!found->is_number_integer()) {
            return bad(std::string("'") + name + "' must be a whole number of tokens");
        }
        const auto limit = found->get<std::int64_t>();
        if (limit < 0)
            return std::nullopt;  // llama-server's "no limit"
        return static_cast<std::uint32_t>(
            std::min<std::int64_t>(limit, std::numeric_limits<std::int32_t>::max()));
    }
    return std::nullopt;
}

base::Result<void> take_stop(const Json& request, Json& fields) {
    const auto found = request.find("stop");
    if (found == request.end() || found->is_null())
        return {};
    if (found->is_string()) {
        fields["stop"] = Json::array({*found});
    } else if (found->is_array() && std::all_of(found->begin(), found->end(), [](const Json& word) {
                   return word.is_string();
               })) {
        fields["stop"] = *found;
    } else {
        return bad("'stop' must be a text or a list of texts");
    }
    return {};
}

// OpenAI: an object from token id to bias. llama-server: a list of pairs.
base::Result<void> take_logit_bias(const Json& request, Json& fields) {
    const auto found = request.find("logit_bias");
    if (found == request.end() || found->is_null())
        return {};
    if (found->is_array()) {
        fields["logit_bias"] = *found;
        return {};
    }
    if (!found->is_object())
        return bad("'logit_bias' must be an object from token id to bias");
    Json pairs = Json::array();
    for (const auto& [token, bias] : found->items()) {
        const bool number =
            !token.empty() && token.size() < 10 &&
            std::all_of(token.begin(), token.end(), [](char c) { return c >= '0' && c <= '9'; });
        if (!number || !bias.is_number())
            return bad("'logit_bias' must map token ids to numbers");
        pairs.push_back(Json::array({std::stoi(token), bias}));
    }
    fields["logit_bias"] = std::move(pairs);
    return {};
}

bool wants_schema(const Json& request) {
    const auto format = request.find("response_format");
    if (format == request.end() || !format->is_object())
        return false;
    const auto type = format->find("type");
    return type != format->end() && *type != "text";
}

std::uint32_t count(const Json& event, const char* name) {
    const auto found = event.find(name);
    if (found == event.end() || !found->is_number_integer())
        return 0;
    const auto value = found->get<std::int64_t>();
    return value < 0 ? 0U : static_cast<std::uint32_t>(std::min<std::int64_t>(value, UINT32_MAX));
}

CompletionError read_error(const Json& error) {
    CompletionError result;
    if (error.is_object()) {
        result.status = count(error, "code");
        const auto message = error.find("message");
        if (message != error.end() && message->is_string())
            result.message = *message;
    }
    if (result.status < 400 || result.status > 599)
        result.status = 500;
    if (result.message.empty())
        result.message = "the engine reported an error without a message";
    return result;
}

CompletionEvent read_event(const Json& json) {
    CompletionEvent event;
    if (const auto tokens = json.find("tokens"); tokens != json.end() && tokens->is_array()) {
        for (const Json& token : *tokens) {
            if (token.is_number_integer())
                event.ids.push_back(token.get<std::int32_t>());
        }
    }
    if (const auto text = json.find("content"); text != json.end() && text->is_string()) {
        event.text = text->get<std::string>();
    }
    event.counts = json.contains("tokens_predicted");
    event.tokens_predicted = count(json, "tokens_predicted");
    event.tokens_evaluated = count(json, "tokens_evaluated");
    if (const auto stop = json.find("stop"); stop != json.end() && stop->is_boolean()) {
        event.last = stop->get<bool>();
    }
    if (const auto type = json.find("stop_type"); type != json.end() && *type == "limit") {
        event.reason = core::FinishReason::length;
    }
    if (const auto timings = json.find("timings"); timings != json.end() && timings->is_object()) {
        event.cached_tokens = count(*timings, "cache_n");
    }
    return event;
}

}  // namespace

base::Result<CompletionRequest> read_request(std::string_view request_json) {
    if (is_too_deep(request_json)) {
        return bad("the request is nested deeper than " + std::to_string(request_depth_max) +
                   " levels; send a flatter one");
    }
    const Json request = Json::parse(request_json, nullptr, false);
    if (!request.is_object())
        return bad("the request is no JSON object");
    for (const char* name : refused) {
        if (request.contains(name) && !request[name].is_null()) {
            return bad(std::string("'") + name + "' is not supported yet");
        }
    }
    if (wants_schema(request))
        return bad("a 'response_format' other than text is not supported yet");

    CompletionRequest result;
    Json rendered = Json::object();
    for (const char* name : template_fields) {
        if (request.contains(name) && !request[name].is_null())
            rendered[name] = request[name];
    }
    if (!rendered.contains("messages"))
        return bad("the request has no 'messages'");
    result.template_json = dump(rendered);

    const auto limit = token_limit(request);
    if (!limit)
        return tl::unexpected<base::Error>(limit.error());
    result.tokens_max = *limit;

    Json fields = Json::object();
    for (const auto& [name, value] : request.items()) {
        if (!value.is_null() && !contains(kept_back, name))
            fields[name] = value;
    }
    if (auto fine = take_stop(request, fields); !fine)
        return tl::unexpected(fine.error());
    if (auto fine = take_logit_bias(request, fields); !fine)
        return tl::unexpected(fine.error());
    result.fields_json = dump(fields);
    return result;
}

std::string completion_body(const CompletionRequest& request,
                            const std::variant<std::string, core::TokenIds>& prompt,
                            const core::ResumePoint& resume) {
    Json body = Json::parse(request.fields_json);
    // One flat list: llama-server takes a nested one for several prompts.
    Json mixed = Json::array();
    if (const auto* text = std::get_if<std::string>(&prompt)) {
        mixed.push_back(*text);
    } else {
        for (const std::int32_t id : std::get<core::TokenIds>(prompt))
            mixed.push_back(id);
    }
    for (const auto& segment : resume.segments) {
        if (const auto* text = std::get_if<std::string>(&segment)) {
            mixed.push_back(*text);
        } else {
            for (const std::int32_t id : std::get<core::TokenIds>(segment))
                mixed.push_back(id);
        }
    }
    // A list with one text alone would be taken for a list of prompts with one member: the same.
    body["prompt"] = std::move(mixed);
    body["stream"] = true;
    body["cache_prompt"] = true;
    body["return_tokens"] = true;
    body["response_fields"] = {"content",          "tokens",    "stop",   "tokens_predicted",
                               "tokens_evaluated", "stop_type", "timings"};
    if (request.tokens_max) {
        body["n_predict"] = *request.tokens_max - std::min(*request.tokens_max, resume.tokens);
    }
    return dump(body);
}

base::Result<std::string> templated_prompt(std::string_view response_json) {
    const Json json = Json::parse(response_json, nullptr, false);
    if (!json.is_object() || !json.contains("prompt") || !json["prompt"].is_string()) {
        return base::fail(base::ErrorKind::io,
                          "the engine's /apply-template answered without a prompt");
    }
    return json["prompt"].get<std::string>();
}

base::Result<core::TokenIds> tokenized(std::string_view response_json) {
    const Json json = Json::parse(response_json, nullptr, false);
    const auto broken = [] {
        return base::fail(base::ErrorKind::io, "the engine's /tokenize answered without tokens");
    };
    if (!json.is_object() || !json.contains("tokens") || !json["tokens"].is_array()) {
        return broken();
    }
    core::TokenIds ids;
    for (const Json& token : json["tokens"]) {
        if (!token.is_number_integer())
            return broken();
        ids.push_back(token.get<std::int32_t>());
    }
    return ids;
}

std::string tokenize_body(std::string_view text, bool as_prompt) {
    return dump({{"content", text}, {"add_special", as_prompt}, {"parse_special", as_prompt}});
}

std::string error_message(std::string_view response_json) {
    const Json json = Json::parse(response_json, nullptr, false);
    if (json.is_object() && json.contains("error"))
        return read_error(json["error"]).message;
    return std::string(response_json.substr(0, error_text_bytes_max));
}

base::Result<std::optional<std::variant<CompletionEvent, CompletionError>>>
CompletionEvents::next() {
    using Event = std::variant<CompletionEvent, CompletionError>;
    for (;;) {
        const std::string_view rest = std::string_view(pending_).substr(begin_);
        const std::size_t end = rest.find("\n\n");
        if (end == std::string_view::npos) {
            if (rest.size() > event_bytes_max) {
                return base::fail(base::ErrorKind::limit_exceeded,
                                  "the engine sent an event longer than 8 MiB");
            }
            if (begin_ == pending_.size() || begin_ > pending_bytes_kept) {
                pending_.erase(0, begin_);
                begin_ = 0;
            }
            return std::nullopt;
        }
        begin_ += end + 2;
        std::string_view line = rest.substr(0, end);
        const bool is_error = line.starts_with("error:");
        if (is_error) {
            line.remove_prefix(6);
        } else if (line.starts_with("data:")) {
            line.remove_prefix(5);
        } else {
            continue;  // a comment that keeps the connection alive
        }
        const Json json = Json::parse(line, nullptr, false);
        if (json.is_null())
            continue;  // "data: null": the response has begun
        if (!json.is_object()) {
            if (line == " [DONE]")
                continue;
            return base::fail(base::ErrorKind::bad_input,
                              "the engine sent an event that is no JSON");
        }
        if (json.contains("error"))
            return Event(read_error(json["error"]));
        if (is_error)
            return Event(read_error(json));
        return Event(read_event(json));
    }
}

}  // namespace idlewatt::engine
