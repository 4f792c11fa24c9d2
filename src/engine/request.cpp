// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/request.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "engine/demanded_calls.hpp"
#include "engine/engine_json.hpp"

namespace idlewatt::engine {

namespace {

constexpr std::size_t request_depth_max = 64;
constexpr std::size_t completion_logprobs_max = 5;

// What renders the prompt.
constexpr std::array template_fields = {"messages",
                                        "tools",
                                        "tool_choice",
                                        "parallel_tool_calls",
                                        "chat_template_kwargs",
                                        "add_generation_prompt"};

// Everything else goes on to the engine, except what would break the stream or touch other users:
constexpr std::array kept_back = {
    // renders the prompt, or is set by us
    "messages", "tools", "tool_choice", "parallel_tool_calls", "reasoning_effort",
    "chat_template_kwargs", "add_generation_prompt", "continue_final_message", "prompt", "input",
    "stream", "stream_options", "max_tokens", "max_completion_tokens", "n_predict", "stop",
    "logit_bias", "cache_prompt", "return_tokens", "response_fields", "return_progress",
    "sse_ping_interval", "verbose", "echo", "suffix", "n_indent", "t_max_predict_ms",
    // names a slot or an adapter that other requests use too
    "id_slot", "lora", "n_cache_reuse",
    // costs a millisecond a token; asked for by us where the client wants it
    "n_probs", "logprobs", "top_logprobs", "post_sampling_probs", "timings_per_token",
    // several answers in one stream
    "n", "n_cmpl", "best_of",
    // the form of the answer, and how the engine reads its own words
    "grammar", "json_schema", "response_format", "grammar_lazy", "grammar_triggers", "grammar_type",
    "generation_prompt", "preserved_tokens", "chat_format", "chat_parser", "parse_tool_calls",
    "reasoning_format", "reasoning_in_content", "thinking_forced_open",
    // OpenAI's fields that mean nothing to an engine
    "model", "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
    "functions", "function_call", "modalities", "audio", "prediction", "web_search_options",
    "verbosity", "encoding_format", "dimensions"};

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

template <class Names>
bool contains(const Names& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

base::Result<std::optional<std::uint32_t>> token_limit(const Json& request) {
    for (const char* name : {"max_completion_tokens", "max_tokens", "n_predict"}) {
        const Json& found = member(request, name);
        if (found.is_null())
            continue;
        if (!found.is_number_integer()) {
            return bad(std::string("'") + name + "' must be a whole number of tokens");
        }
        const auto limit = found.get<std::int64_t>();
        if (limit < 0)
            return std::nullopt;  // llama-server's "no limit"
        return static_cast<std::uint32_t>(
            std::min<std::int64_t>(limit, std::numeric_limits<std::int32_t>::max()));
    }
    return std::nullopt;
}

base::Result<void> take_stop(const Json& request, Json& fields) {
    const Json& found = member(request, "stop");
    if (found.is_null())
        return {};
    if (found.is_string()) {
        fields["stop"] = Json::array({found});
    } else if (found.is_array() && std::all_of(found.begin(), found.end(),
                                               [](const Json& word) { return word.is_string(); })) {
        fields["stop"] = found;
    } else {
        return bad("'stop' must be a text or a list of texts");
    }
    return {};
}

// OpenAI: an object from token id to bias. llama-server: a list of pairs.
base::Result<void> take_logit_bias(const Json& request, Json& fields) {
    const Json& found = member(request, "logit_bias");
    if (found.is_null())
        return {};
    if (found.is_array()) {
        fields["logit_bias"] = found;
        return {};
    }
    if (!found.is_object())
        return bad("'logit_bias' must be an object from token id to bias");
    Json pairs = Json::array();
    for (const auto& [token, bias] : found.items()) {
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

// A chat says logprobs: true and top_logprobs; a completion says logprobs: 0 to 5.
base::Result<void> take_logprobs(const Json& request, Request& result) {
    const Json& wanted = member(request, "logprobs");
    const Json& top = member(request, "top_logprobs");
    const bool completion = result.task == core::Task::completion;
    if (wanted.is_null() || (wanted.is_boolean() && !wanted.get<bool>()))
        return {};
    const Json& number = completion ? wanted : top;
    const std::size_t most = completion ? completion_logprobs_max : top_logprobs_max;
    if (!completion && !wanted.is_boolean())
        return bad("'logprobs' must be true or false");
    if (number.is_null()) {
        result.top_logprobs = 0;
        return {};
    }
    if (!number.is_number_integer() || number.get<std::int64_t>() < 0 || count_of(number) > most) {
        return bad(std::string(completion ? "'logprobs'" : "'top_logprobs'") +
                   " must be a whole number from 0 to " + std::to_string(most));
    }
    result.top_logprobs = count_of(number);
    return {};
}

// The schema of a response_format or of llama-server's own field; null: none.
base::Result<Json> schema_of(const Json& request) {
    const Json& format = member(request, "response_format");
    const std::string type = text_of(member(format, "type"));
    const Json object = {{"type", "object"}};
    if (type == "json_object") {
        // llama-server's way to say a schema.
        return is_set(format, "schema") ? member(format, "schema") : object;
    }
    if (type == "json_schema") {
        const Json& schema = member(member(format, "json_schema"), "schema");
        return schema.is_null() ? object : schema;
    }
    if (!format.is_null() && type != "text") {
        return bad("'response_format' must be of the type text, json_object or json_schema");
    }
    return member(request, "json_schema");
}

base::Result<void> take_form(const Json& request, Request& result) {
    auto schema = schema_of(request);
    if (!schema)
        return tl::unexpected(schema.error());
    const Json& grammar = member(request, "grammar");
    if (!schema->is_null() && !grammar.is_null())
        return bad("an answer cannot have both a schema and a 'grammar'; send one of them");
    if (!grammar.is_null() && !grammar.is_string())
        return bad("'grammar' must be a text in GBNF");
    if (!schema->is_null() && !schema->is_object() && !schema->is_boolean())
        return bad("a JSON schema must be an object");
    if (!schema->is_null())
        result.form_json = dump({{"json_schema", *schema}});
    if (grammar.is_string() && !grammar.get_ref<const std::string&>().empty())
        result.form_json = dump({{"grammar", grammar}});
    result.held =
        !result.form_json.empty() && (result.task == core::Task::completion || schema->is_null());
    return {};
}

// OpenAI's ways to name the functions that may be called; llama-server knows only words.
base::Result<void> take_tool_choice(const Json& request, Json& rendered) {
    const Json& choice = member(request, "tool_choice");
    if (!choice.is_object())
        return {};
    std::vector<std::string> names;
    const std::string type = text_of(member(choice, "type"));
    const Json& allowed =
        is_set(choice, "allowed_tools") ? member(choice, "allowed_tools") : choice;
    if (type == "function") {
        names.push_back(text_of(member(member(choice, "function"), "name")));
    } else if (type == "allowed_tools" && member(allowed, "tools").is_array()) {
        for (const Json& tool : member(allowed, "tools"))
            names.push_back(text_of(member(member(tool, "function"), "name")));
    } else {
        return bad("'tool_choice' must be none, auto, required, or name functions");
    }
    Json kept = Json::array();
    for (const Json& tool : member(request, "tools")) {
        if (contains(names, text_of(member(member(tool, "function"), "name"))))
            kept.push_back(tool);
    }
    if (kept.empty())
        return bad("'tool_choice' names no function of 'tools'");
    rendered["tools"] = std::move(kept);
    const bool may_not = type == "allowed_tools" && text_of(member(allowed, "mode")) == "auto";
    rendered["tool_choice"] = may_not ? "auto" : "required";
    return {};
}

bool has_images(const Json& messages) {
    for (const Json& message : messages) {
        const Json& content = member(message, "content");
        if (!content.is_array())
            continue;
        for (const Json& part : content) {
            const std::string type = text_of(member(part, "type"));
            if (!type.empty() && type != "text")
                return true;
        }
    }
    return false;
}

// Templates look for how much to think in different places.
void take_reasoning_effort(const Json& request, Json& rendered) {
    const std::string effort = text_of(member(request, "reasoning_effort"));
    if (effort.empty())
        return;
    Json& kwargs = rendered["chat_template_kwargs"];
    if (!kwargs.is_object())
        kwargs = Json::object();
    if (!kwargs.contains("enable_thinking"))
        kwargs["enable_thinking"] = effort != "none";
    if (!kwargs.contains("reasoning_effort") && effort != "none")
        kwargs["reasoning_effort"] = effort;
}

// What would end the answer before its call, or not let it end behind it, does not count.
base::Result<void> demand_calls(const Json& rendered, Request& result) {
    if (result.held)
        return bad("an answer cannot have a 'grammar' and be a call; send one of them");
    Json fields = Json::parse(result.fields_json);
    for (const char* name : {"stop", "ignore_eos"})
        fields.erase(name);
    result.fields_json = dump(fields);
    result.calls_demanded = true;
    result.calls_form_json = demanded_calls_form(member(rendered, "tools"),
                                                 member(rendered, "parallel_tool_calls") != false);
    return {};
}

base::Result<void> take_chat(const Json& request, Request& result) {
    Json rendered = Json::object();
    for (const char* name : template_fields) {
        if (is_set(request, name))
            rendered[name] = request[name];
    }
    if (!rendered.contains("messages"))
        return bad("the request has no 'messages'");
    const Json& tools = member(request, "tools");
    if (!tools.is_null() && !tools.is_array())
        return bad("'tools' must be a list");
    if (auto fine = take_tool_choice(request, rendered); !fine)
        return fine;
    take_reasoning_effort(request, rendered);
    result.tools = !tools.empty() && member(rendered, "tool_choice") != "none";
    result.images = has_images(rendered["messages"]);
    if (result.tools && member(rendered, "tool_choice") == "required") {
        if (auto fine = demand_calls(rendered, result); !fine)
            return fine;
    }
    result.template_json = result.chat_json = dump(rendered);
    if (!result.form_json.empty()) {
        rendered.update(Json::parse(result.form_json));
        result.chat_json = dump(rendered);
    }
    return {};
}

base::Result<Input> one_input(const Json& value, const std::string& what) {
    if (value.is_string())
        return Input(value.get<std::string>());
    if (is_tokens(value))
        return Input(value.get<core::TokenIds>());
    return bad(what + " must be a text or a list of token ids");
}

base::Result<void> take_completion(const Json& request, Request& result) {
    const Json& prompt = member(request, "prompt");
    // A list with one text is one prompt.
    const bool listed = prompt.is_array() && prompt.size() == 1 && !is_tokens(prompt);
    auto input = one_input(listed ? prompt[0] : prompt, "'prompt'");
    if (!input)
        return tl::unexpected(input.error());
    result.prompt = std::move(*input);
    if (!result.tokens_max && !is_set(request, "n_predict"))
        result.tokens_max = completion_tokens_default;
    return {};
}

base::Result<void> take_embedding(const Json& request, Request& result) {
    const Json& input = member(request, "input");
    const bool several = input.is_array() && !is_tokens(input);
    if (several && (input.empty() || input.size() > core::embedding_inputs_max)) {
        return bad("'input' must hold 1 to " + std::to_string(core::embedding_inputs_max) +
                   " texts or lists of token ids");
    }
    if (is_set(request, "dimensions"))
        return bad("'dimensions' is not supported: a model's vectors have their own length");
    for (std::size_t i = 0; i < (several ? input.size() : 1); ++i) {
        auto one = one_input(several ? input[i] : input, "'input'");
        if (!one)
            return tl::unexpected(one.error());
        if (const auto* text = std::get_if<std::string>(&*one); text && text->empty())
            return bad("'input' must not hold an empty text");
        result.inputs.push_back(std::move(*one));
    }
    return {};
}

base::Result<void> take_fields(const Json& request, Request& result) {
    Json fields = Json::object();
    for (const auto& [name, value] : request.items()) {
        if (!value.is_null() && !contains(kept_back, name))
            fields[name] = value;
    }
    if (auto fine = take_stop(request, fields); !fine)
        return fine;
    if (auto fine = take_logit_bias(request, fields); !fine)
        return fine;
    result.fields_json = dump(fields);
    // A prompt found in the cache was computed in other batches: a little other numbers.
    result.cache_prompt = !is_set(request, "seed") && member(request, "cache_prompt") != false;
    return {};
}

}  // namespace

base::Result<Request> read_request(std::string_view request_json, core::Task task) {
    if (is_too_deep(request_json)) {
        return bad("the request is nested deeper than " + std::to_string(request_depth_max) +
                   " levels; send a flatter one");
    }
    const Json request = Json::parse(request_json, nullptr, false);
    if (!request.is_object())
        return bad("the request is no JSON object");
    Request result;
    result.task = task;
    base::Result<void> fine;
    if (task == core::Task::embedding) {
        fine = take_embedding(request, result);
    } else {
        auto limit = token_limit(request);
        if (!limit)
            return tl::unexpected<base::Error>(limit.error());
        result.tokens_max = *limit;
        fine = take_fields(request, result);
        if (fine)
            fine = take_logprobs(request, result);
        if (fine)
            fine = take_form(request, result);
        if (fine && task == core::Task::completion)
            fine = take_completion(request, result);
        if (fine && task == core::Task::chat)
            fine = take_chat(request, result);
    }
    if (!fine)
        return tl::unexpected(fine.error());
    return result;
}

}  // namespace idlewatt::engine
