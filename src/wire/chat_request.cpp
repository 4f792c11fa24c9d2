// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Requests from strangers. The bytes are scanned for size and depth before a tree is built, so that
// the tree is never much larger than the body.
#include <array>
#include <cstdint>
#include <limits>
#include <set>

#include <nlohmann/json.hpp>

#include "wire/chat.hpp"
#include "wire/chat_text.hpp"

namespace idlewatt::wire {

namespace {

using nlohmann::json;
using Objection = std::optional<ChatRefusal>;

ChatRefusal refuse(std::string parameter, std::string code, std::string message) {
    ChatRefusal refusal;
    refusal.kind = base::ErrorKind::bad_input;
    refusal.message = std::move(message);
    refusal.code = std::move(code);
    refusal.parameter = std::move(parameter);
    return refusal;
}

// What was found, without repeating a prompt.
std::string describe(const json& value) {
    switch (value.type()) {
        case json::value_t::null:
            return "null";
        case json::value_t::string:
            return "a string";
        case json::value_t::array:
            return value.empty() ? "an empty array" : "an array";
        case json::value_t::object:
            return "an object";
        default:
            return value.dump();
    }
}

ChatRefusal wrong(const std::string& parameter, const std::string& expected, const json& found) {
    return refuse(parameter, "invalid_value",
                  "'" + parameter + "' must be " + expected + ", not " + describe(found) + ".");
}

ChatRefusal unsupported(const std::string& parameter, const std::string& what) {
    return refuse(parameter, "unsupported_parameter",
                  what + " not supported yet. Leave out '" + parameter + "'.");
}

// Null when the field is absent or null: both mean the default.
const json* field(const json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

// ── the bytes ───────────────────────────────────────────────────────────────────────────────────

// Counts brackets and commas outside of strings: an upper bound of values and depth in one cheap
// pass, right for every text that is JSON at all.
Objection check_shape(std::string_view body) {
    std::size_t depth = 0;
    std::size_t values = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < body.size(); ++i) {
        const char c = body[i];
        if (in_string) {
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        if (c == '{' || c == '[') {
            ++depth;
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        }
        values += c == '{' || c == '[' || c == ',' ? 1 : 0;
        if (depth > chat_depth_max) {
            return refuse(
                "", "invalid_value",
                "The body is nested deeper than " + std::to_string(chat_depth_max) + " levels.");
        }
        if (values > chat_values_max) {
            return refuse("", "invalid_value",
                          "The body holds more than " + std::to_string(chat_values_max) +
                              " values. Send fewer or larger messages.");
        }
    }
    return std::nullopt;
}

// Two members of one name mean something else to every reader, so they are refused where this
// gateway and the engine both look: at the top.
tl::expected<json, ChatRefusal> parse_tree(std::string_view body) {
    std::set<std::string> names;
    std::string repeated;
    const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
        if (event == json::parse_event_t::key && depth == 1) {
            const auto& name = parsed.get_ref<const std::string&>();
            if (!names.insert(name).second) {
                repeated = name;
            }
        }
        return true;
    };
    json document;
    try {
        document = json::parse(body.begin(), body.end(), watch);
    } catch (const json::parse_error& error) {
        return tl::unexpected(refuse("", "",
                                     "The body is not valid JSON: it breaks at byte " +
                                         std::to_string(error.byte) + ". Expected one object."));
    } catch (const json::exception&) {
        return tl::unexpected(refuse("", "", "The body holds a number that is out of range."));
    }
    if (!repeated.empty()) {
        return tl::unexpected(
            refuse(repeated, "invalid_value", "'" + repeated + "' is given twice. Give it once."));
    }
    if (!document.is_object()) {
        return tl::unexpected(
            refuse("", "invalid_value",
                   "The body must be a JSON object, not " + describe(document) + "."));
    }
    return document;
}

// ── the messages ────────────────────────────────────────────────────────────────────────────────

bool is_role(const json& role) {
    static const std::set<std::string> roles{"system",    "developer", "user",
                                             "assistant", "tool",      "function"};
    return role.is_string() && roles.contains(role.get_ref<const std::string&>());
}

Objection check_part(const json& part, const std::string& name) {
    if (!part.is_object()) {
        return wrong(name, "an object with a type", part);
    }
    const json* type = field(part, "type");
    if (type == nullptr || !type->is_string()) {
        return wrong(name + ".type", "the string \"text\"", type == nullptr ? json() : *type);
    }
    if (*type != "text") {
        return unsupported(name + ".type", "Content other than text (images, audio, files) is");
    }
    const json* text = field(part, "text");
    if (text == nullptr || !text->is_string()) {
        return wrong(name + ".text", "a string", text == nullptr ? json() : *text);
    }
    return std::nullopt;
}

Objection check_message(const json& message, const std::string& name) {
    if (!message.is_object()) {
        return wrong(name, "an object with role and content", message);
    }
    const json* role = field(message, "role");
    if (role == nullptr || !is_role(*role)) {
        return wrong(name + ".role", "one of system, developer, user, assistant, tool",
                     role == nullptr ? json() : *role);
    }
    const json* content = field(message, "content");
    if (content == nullptr) {
        if (*role == "assistant") {
            return std::nullopt;
        }
        return wrong(name + ".content", "a string or an array of text parts", json());
    }
    if (content->is_string()) {
        return std::nullopt;
    }
    if (!content->is_array() || content->empty()) {
        return wrong(name + ".content", "a string or an array of text parts", *content);
    }
    for (std::size_t i = 0; i < content->size(); ++i) {
        auto objection = check_part((*content)[i], name + ".content[" + std::to_string(i) + "]");
        if (objection) {
            return objection;
        }
    }
    return std::nullopt;
}

Objection check_messages(const json& document) {
    const json* messages = field(document, "messages");
    if (messages == nullptr || !messages->is_array() || messages->empty()) {
        return wrong("messages", "an array of at least one message",
                     messages == nullptr ? json() : *messages);
    }
    for (std::size_t i = 0; i < messages->size(); ++i) {
        auto objection = check_message((*messages)[i], "messages[" + std::to_string(i) + "]");
        if (objection) {
            return objection;
        }
    }
    return std::nullopt;
}

// ── the numbers ─────────────────────────────────────────────────────────────────────────────────

struct Range {
    const char* name;
    double low;
    double high;
    const char* text;
};
constexpr std::array ranges{
    Range{"temperature", 0.0, 2.0, "a number from 0 to 2"},
    Range{"top_p", 0.0, 1.0, "a number from 0 to 1"},
    Range{"presence_penalty", -2.0, 2.0, "a number from -2 to 2"},
    Range{"frequency_penalty", -2.0, 2.0, "a number from -2 to 2"},
};

Objection check_numbers(const json& document) {
    for (const Range& range : ranges) {
        const json* value = field(document, range.name);
        if (value == nullptr) {
            continue;
        }
        if (!value->is_number() || !(value->get<double>() >= range.low) ||
            !(value->get<double>() <= range.high)) {
            return wrong(range.name, range.text, *value);
        }
    }
    const json* limits[2] = {field(document, "max_completion_tokens"),
                             field(document, "max_tokens")};
    for (const json* limit : limits) {
        if (limit == nullptr) {
            continue;
        }
        const bool good = limit->is_number_integer() && limit->get<double>() >= 1.0 &&
                          limit->get<double>() <= std::numeric_limits<std::int32_t>::max();
        if (!good) {
            return wrong(limit == limits[0] ? "max_completion_tokens" : "max_tokens",
                         "a positive whole number", *limit);
        }
    }
    if (limits[0] != nullptr && limits[1] != nullptr && *limits[0] != *limits[1]) {
        return refuse("max_tokens", "invalid_value",
                      "'max_tokens' and 'max_completion_tokens' differ. Give only the latter.");
    }
    const json* seed = field(document, "seed");
    if (seed != nullptr && !seed->is_number_integer()) {
        return wrong("seed", "a whole number", *seed);
    }
    return std::nullopt;
}

// ── the rest ────────────────────────────────────────────────────────────────────────────────────

Objection check_stop(const json& document) {
    const json* stop = field(document, "stop");
    if (stop == nullptr || stop->is_string()) {
        return std::nullopt;
    }
    bool good = stop->is_array() && stop->size() <= chat_stops_max;
    if (good) {
        for (const json& text : *stop) {
            good = good && text.is_string();
        }
    }
    if (good) {
        return std::nullopt;
    }
    return wrong("stop",
                 "a string or an array of up to " + std::to_string(chat_stops_max) + " strings",
                 *stop);
}

// A known field that changes the meaning of the answer is never dropped silently.
Objection check_supported(const json& document) {
    const json* n = field(document, "n");
    if (n != nullptr && *n != 1) {
        if (!n->is_number_integer() || *n < 1) {
            return wrong("n", "a positive whole number", *n);
        }
        return unsupported("n", "More than one choice is");
    }
    for (const char* name : {"tools", "functions", "logit_bias", "audio", "web_search_options"}) {
        const json* value = field(document, name);
        if (value != nullptr && (!value->is_structured() || !value->empty())) {
            return unsupported(name, "'" + std::string(name) + "' is");
        }
    }
    for (const char* name : {"tool_choice", "function_call"}) {
        const json* value = field(document, name);
        if (value != nullptr && *value != "none" && *value != "auto") {
            return unsupported(name, "'" + std::string(name) + "' is");
        }
    }
    for (const char* name : {"logprobs", "top_logprobs", "store"}) {
        const json* value = field(document, name);
        if (value != nullptr && *value != false && *value != 0) {
            return unsupported(name, "'" + std::string(name) + "' is");
        }
    }
    const json* format = field(document, "response_format");
    if (format != nullptr && !(format->is_object() && format->value("type", json()) == "text")) {
        return unsupported("response_format", "A response format other than text is");
    }
    const json* modalities = field(document, "modalities");
    if (modalities != nullptr && *modalities != json::array({"text"})) {
        return unsupported("modalities", "A modality other than text is");
    }
    return std::nullopt;
}

Objection read_stream(const json& document, ChatRequest& request) {
    const json* stream = field(document, "stream");
    if (stream != nullptr && !stream->is_boolean()) {
        return wrong("stream", "true or false", *stream);
    }
    request.stream = stream != nullptr && stream->get<bool>();
    const json* options = field(document, "stream_options");
    if (options == nullptr) {
        return std::nullopt;
    }
    if (!options->is_object()) {
        return wrong("stream_options", "an object", *options);
    }
    if (!request.stream) {
        return refuse("stream_options", "invalid_value",
                      "'stream_options' is only allowed when 'stream' is true.");
    }
    for (const char* name : {"include_usage", "include_obfuscation"}) {
        const json* value = field(*options, name);
        if (value != nullptr && !value->is_boolean()) {
            return wrong("stream_options." + std::string(name), "true or false", *value);
        }
    }
    const json* usage = field(*options, "include_usage");
    request.include_usage = usage != nullptr && usage->get<bool>();
    return std::nullopt;
}

Objection read_model(const json& document, ChatRequest& request) {
    const json* model = field(document, "model");
    if (model == nullptr) {
        return std::nullopt;
    }
    if (!model->is_string() ||
        model->get_ref<const std::string&>().size() > core::model_name_bytes_max) {
        return wrong("model",
                     "a string of at most " + std::to_string(core::model_name_bytes_max) + " bytes",
                     *model);
    }
    request.model = model->get<std::string>();
    return std::nullopt;
}

// OpenAI's newer name of the same role; chat templates know only the older one.
bool rename_developer(json& document) {
    bool renamed = false;
    for (json& message : document["messages"]) {
        if (message["role"] == "developer") {
            message["role"] = "system";
            renamed = true;
        }
    }
    return renamed;
}

}  // namespace

tl::expected<ChatRequest, ChatRefusal> parse_chat_request(std::string_view body) {
    if (body.size() > core::request_bytes_max) {
        ChatRefusal refusal = refuse("", "request_too_large", "The body is larger than 16 MiB.");
        refusal.kind = base::ErrorKind::limit_exceeded;
        return tl::unexpected(std::move(refusal));
    }
    if (const auto bad = first_bad_utf8(body)) {
        return tl::unexpected(
            refuse("", "", "The body is not valid UTF-8: see byte " + std::to_string(*bad) + "."));
    }
    if (auto objection = check_shape(body)) {
        return tl::unexpected(std::move(*objection));
    }
    auto document = parse_tree(body);
    if (!document) {
        return tl::unexpected(std::move(document).error());
    }
    ChatRequest request;
    for (const auto check : {&check_messages, &check_supported, &check_numbers, &check_stop}) {
        if (auto objection = check(*document)) {
            return tl::unexpected(std::move(*objection));
        }
    }
    for (const auto read : {&read_model, &read_stream}) {
        if (auto objection = read(*document, request)) {
            return tl::unexpected(std::move(*objection));
        }
    }
    request.json = rename_developer(*document) ? document->dump() : std::string(body);
    return request;
}

}  // namespace idlewatt::wire
