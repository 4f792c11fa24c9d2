// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <array>

#include "wire/chat.hpp"
#include "wire/chat_checks.hpp"
#include "wire/stable_hash.hpp"

namespace idlewatt::wire {

namespace {

constexpr std::size_t chat_affinity_bytes_max = 64 * 1024;

Objection read_logprobs(const RequestJson& document, ApiRequest& request) {
    if (Objection objection = check_boolean(document, "logprobs"))
        return objection;
    const bool wanted = is_true(document, "logprobs");
    const RequestJson* top = field(document, "top_logprobs");
    if (top != nullptr && !is_whole(*top, 0, top_logprobs_max)) {
        return wrong("top_logprobs", "a whole number from 0 to " + std::to_string(top_logprobs_max),
                     top);
    }
    const std::uint32_t alternatives = top == nullptr ? 0 : top->get<std::uint32_t>();
    if (!wanted && alternatives > 0) {
        return api_error(ApiErrorCode::invalid_value,
                         "'top_logprobs' is only allowed when 'logprobs' is true.", "top_logprobs");
    }
    if (!wanted)
        return std::nullopt;
    // No engine tells them of an answer that it has to parse for calls.
    if (request.wants_tools)
        return unsupported("logprobs", "'logprobs' together with 'tools' is");
    request.top_logprobs = alternatives;
    return std::nullopt;
}

// A known field that changes the meaning of the answer is never dropped silently.
Objection check_unsupported(const RequestJson& document) {
    for (const char* name : {"audio", "web_search_options"}) {
        // Also when it is empty: {} switches the search on.
        if (field(document, name) != nullptr)
            return unsupported(name, "'" + std::string(name) + "' is");
    }
    const RequestJson* store = field(document, "store");
    if (store != nullptr && *store != false)
        return unsupported("store", "'store' is");
    const RequestJson* modalities = field(document, "modalities");
    if (modalities != nullptr && *modalities != RequestJson::array({"text"}))
        return unsupported("modalities", "A modality other than text is");
    constexpr std::array<std::string_view, 7> efforts{"none", "minimal", "low", "medium",
                                                      "high", "xhigh",   "max"};
    const RequestJson* effort = field(document, "reasoning_effort");
    if (effort != nullptr && !is_one_of(*effort, efforts)) {
        return wrong_word("reasoning_effort", "none, minimal, low, medium, high, xhigh or max",
                          effort);
    }
    return std::nullopt;
}

Objection check_json_schema(const RequestJson& format) {
    const auto bad = [](const std::string& what) {
        return api_error(ApiErrorCode::invalid_value, "'response_format' " + what,
                         "response_format");
    };
    const RequestJson* given = field(format, "json_schema");
    if (given == nullptr || !given->is_object())
        return bad("of type json_schema needs 'json_schema', an object with name and schema.");
    const RequestJson* name = field(*given, "name");
    if (name == nullptr || !is_function_name(*name))
        return bad("needs 'json_schema.name': 1 to 64 characters of [a-zA-Z0-9_-].");
    const RequestJson* schema = field(*given, "schema");
    if (schema == nullptr || !schema->is_object())
        return bad("needs 'json_schema.schema', a JSON schema.");
    const RequestJson* strict = field(*given, "strict");
    if (strict != nullptr && !strict->is_boolean())
        return bad("takes true or false as 'json_schema.strict'.");
    const RequestJson* description = field(*given, "description");
    if (description != nullptr && !description->is_string())
        return bad("takes a string as 'json_schema.description'.");
    return std::nullopt;
}

// Of requests that begin alike: what the template makes of these stands first in the prompt.
std::uint64_t affinity_of(const RequestJson& document, const std::string& model) {
    StableHash hash;
    std::size_t left = chat_affinity_bytes_max;
    const auto add = [&](const std::string& text) {
        const std::string_view part = std::string_view(text).substr(0, left);
        left -= part.size();
        hash.add(part);
    };
    hash.add("chat");
    hash.add(model);
    for (const RequestJson& message : document["messages"]) {
        const auto& role = message["role"].get_ref<const std::string&>();
        if (role != "system" && role != "developer" && role != "user")
            continue;
        hash.add(role == "user" ? "user" : "system");
        const RequestJson* content = field(message, "content");
        if (content != nullptr && content->is_string()) {
            add(content->get_ref<const std::string&>());
        } else if (content != nullptr) {
            for (const RequestJson& part : *content) {
                const RequestJson* text = field(part, "text");
                add(text != nullptr && text->is_string() ? text->get<std::string>() : dump(part));
            }
        }
        if (role == "user" || left == 0)
            break;
    }
    return hash.value();
}

}  // namespace

Objection read_format(const RequestJson& document, ApiRequest& request) {
    for (const char* name : {"json_schema", "grammar"})
        request.wants_schema = request.wants_schema || field(document, name) != nullptr;
    const RequestJson* format = field(document, "response_format");
    if (format == nullptr)
        return std::nullopt;
    const RequestJson* type = format->is_object() ? field(*format, "type") : nullptr;
    if (type != nullptr && *type == "text")
        return std::nullopt;
    request.wants_schema = true;
    if (type != nullptr && *type == "json_schema")
        return check_json_schema(*format);
    if (type == nullptr || *type != "json_object") {
        return wrong("response_format", "an object whose type is text, json_object or json_schema",
                     format);
    }
    // llama-server's own form has the schema here.
    const RequestJson* schema = field(*format, "schema");
    if (schema != nullptr && !schema->is_object()) {
        return api_error(ApiErrorCode::invalid_value,
                         "'response_format' takes a JSON schema as 'schema'.", "response_format");
    }
    return std::nullopt;
}

tl::expected<ApiRequest, ApiError> parse_chat_request(std::string_view body) {
    auto tree = parse_request_tree(body);
    if (!tree)
        return tl::unexpected(std::move(tree).error());
    ChatDocument document{std::move(*tree)};
    ApiRequest request;
    request.task = core::Task::chat;
    for (const auto read : {&read_messages, &read_tools}) {
        if (Objection objection = read(document, request))
            return tl::unexpected(std::move(*objection));
    }
    if (Objection objection = check_unsupported(document.json))
        return tl::unexpected(std::move(*objection));
    for (const auto read : {&read_addressing, &read_sampling, &read_token_limit, &read_delivery,
                            &read_logprobs, &read_format}) {
        if (Objection objection = read(document.json, request))
            return tl::unexpected(std::move(*objection));
    }
    request.affinity = affinity_of(document.json, request.model);
    if (!document.rewritten && request.n == 1) {
        request.works.emplace_back(body);
    } else if (Objection objection = append_works(document.json, request)) {
        return tl::unexpected(std::move(*objection));
    }
    return request;
}

}  // namespace idlewatt::wire
