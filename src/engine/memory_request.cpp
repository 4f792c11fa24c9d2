// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/memory_request.hpp"

#include <algorithm>
#include <array>

#include "engine/engine_json.hpp"
#include "engine/memory_form.hpp"
#include "engine/memory_hash.hpp"
#include "engine/request.hpp"

namespace idlewatt::engine {

namespace {

constexpr std::uint32_t answer_tokens_max = 100'000;
constexpr std::uint32_t reasoning_tokens_min = 4;
constexpr std::uint32_t reasoning_tokens_span = 24;
constexpr std::uint32_t words_before_calls_span = 7;
constexpr std::uint32_t call_tokens_each = 12;
constexpr std::size_t form_token_bytes_max = 4;

// In tokens of a few bytes, none of them a part of a character.
std::vector<std::string> in_tokens(std::string_view text, std::uint64_t seed) {
    std::vector<std::string> tokens;
    while (!text.empty()) {
        seed = memory_mix(seed);
        std::size_t size = std::min(text.size(), 1 + seed % form_token_bytes_max);
        while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U)
            ++size;
        tokens.emplace_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return tokens;
}

void take_form(const Json& json, std::uint64_t seed, MemoryRequest& request) {
    const Json& format = member(json, "response_format");
    const std::string type = text_of(member(format, "type"));
    Json schema = member(json, "json_schema");
    if (type == "json_schema")
        schema = member(member(format, "json_schema"), "schema");
    if (type == "json_object") {
        schema = is_set(format, "schema")
                     ? member(format, "schema")
                     : Json{{"type", "object"}, {"properties", {{"car", {{"type", "string"}}}}}};
    }
    if (!schema.is_null())
        request.form = in_tokens(dump(example_of(schema, seed)), seed);
}

std::string hex(std::uint64_t value) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (int i = 0; i < 16; ++i, value >>= 4)
        text.push_back(digits[value & 15U]);
    return text;
}

// It calls wherever it may, but not when the last word was the result of a call.
void take_calls(const Json& json, std::uint64_t seed, MemoryRequest& request) {
    Json tools = member(json, "tools");
    const Json& choice = member(json, "tool_choice");
    if (!tools.is_array() || tools.empty() || choice == "none")
        return;
    const Json& messages = member(json, "messages");
    const bool has_result =
        messages.is_array() && !messages.empty() && member(messages.back(), "role") == "tool";
    const bool must = choice == "required" || choice.is_object();
    if (has_result && !must)
        return;
    if (const Json& name = member(member(choice, "function"), "name"); name.is_string()) {
        const auto named = std::find_if(tools.begin(), tools.end(), [&](const Json& tool) {
            return member(member(tool, "function"), "name") == name;
        });
        if (named == tools.end()) {
            request.complaint = "'tool_choice' names no function of 'tools'";
            return;
        }
        tools = Json::array({Json(*named)});
    }
    const bool several = member(json, "parallel_tool_calls") != false && seed % 3 == 0;
    request.calls_asked = true;
    request.calls_demanded = must;
    request.words_before_calls =
        must ? 0 : static_cast<std::uint32_t>(seed % words_before_calls_span);
    for (std::uint64_t i = 0; i < (several ? 2U : 1U); ++i) {
        const std::uint64_t drawn = memory_mix(seed + i);
        const Json& function = member(tools[drawn % tools.size()], "function");
        const Json& parameters = member(function, "parameters");
        const Json arguments =
            parameters.is_object() ? example_of(parameters, drawn) : Json::object();
        request.calls.push_back(
            {"call_" + hex(drawn), text_of(member(function, "name")), dump(arguments)});
        request.call_tokens += call_tokens_each;
    }
}

bool wants_reasoning(const Json& json) {
    const std::string effort = text_of(member(json, "reasoning_effort"));
    return (!effort.empty() && effort != "none") ||
           member(member(json, "chat_template_kwargs"), "enable_thinking") == true;
}

void take_limit(const Json& json, MemoryRequest& request) {
    for (const char* name : {"max_completion_tokens", "max_tokens", "n_predict"}) {
        const Json& found = member(json, name);
        if (found.is_null())
            continue;
        if (!found.is_number_integer()) {
            request.complaint = std::string("'") + name + "' must be a whole number of tokens";
        } else if (found.get<std::int64_t>() >= 0) {
            request.tokens_max = std::min(count_of(found), answer_tokens_max);
        }
        return;
    }
}

}  // namespace

MemoryRequest read_memory_request(std::string_view request_json, core::Task task,
                                  std::uint64_t seed) {
    MemoryRequest request;
    if (task != core::Task::chat) {
        auto read = read_request(request_json, task);
        if (!read) {
            request.complaint = read.error().message;
            return request;
        }
        request.tokens_max = read->tokens_max;
        request.top_logprobs = read->top_logprobs;
        return request;
    }
    const Json json = Json::parse(request_json, nullptr, false);
    if (!json.is_object()) {
        request.complaint = "the request is no JSON object";
        return request;
    }
    take_limit(json, request);
    if (member(json, "logprobs") == true)
        request.top_logprobs = count_of(member(json, "top_logprobs"));
    if (wants_reasoning(json)) {
        request.reasoning_tokens =
            reasoning_tokens_min + static_cast<std::uint32_t>(seed % reasoning_tokens_span);
    }
    take_calls(json, seed, request);
    if (!request.calls_asked)
        take_form(json, seed, request);
    return request;
}

}  // namespace idlewatt::engine
