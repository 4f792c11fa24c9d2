// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/demanded_calls.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace idlewatt::engine {

namespace {

// A reference within the parameters means their root, which is now a place in a larger schema.
// The depth of a request is bounded (request.cpp).
bool move_references(Json& schema, const std::string& root) {
    bool found = false;
    if (schema.is_object() || schema.is_array()) {
        for (auto& [name, value] : schema.items()) {
            const bool own = schema.is_object() && name == "$ref" && value.is_string() &&
                             value.get_ref<const std::string&>().starts_with('#');
            if (own)
                value = root + value.get_ref<const std::string&>().substr(1);
            found = (own || move_references(value, root)) || found;
        }
    }
    return found;
}

// Arguments are an object; a function without parameters takes an empty one.
Json arguments_schema(const Json& parameters) {
    if (!parameters.is_object())
        return {
            {"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
    static constexpr std::array shapes = {"type",  "properties", "$ref",  "anyOf",
                                          "oneOf", "allOf",      "const", "enum"};
    Json schema = parameters;
    const bool shaped = std::any_of(shapes.begin(), shapes.end(),
                                    [&](const char* name) { return schema.contains(name); });
    if (!shaped)
        schema["type"] = "object";
    return schema;
}

// Reads along a text that a grammar has made; each take is nothing where the text is cut.
class Cursor {
public:
    explicit Cursor(std::string_view text) : rest_(text) {}

    bool take(char c) {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
        if (!rest_.starts_with(c))
            return false;
        rest_.remove_prefix(1);
        return true;
    }
    [[nodiscard]] bool at_end() const {
        return rest_.find_first_not_of(" \t\r\n") == std::string_view::npos;
    }
    [[nodiscard]] bool stands_at(char c) const { return Cursor(*this).take(c); }
    bool take_key(std::string_view key) { return take_string() == key && take(':'); }
    // With its quotation marks.
    std::optional<std::string_view> take_string() {
        const std::string_view from = skip_to('"');
        return cut_off(from, end_of_string(from, 0));
    }
    // With all that is in it, as it was said: a number may be one that no double holds.
    std::optional<std::string_view> take_object() {
        const std::string_view from = skip_to('{');
        std::size_t depth = 0;
        for (std::size_t i = 0; i < from.size(); ++i) {
            if (from[i] == '"') {
                i = end_of_string(from, i) - 1;
            } else if (from[i] == '{') {
                ++depth;
            } else if (from[i] == '}' && --depth == 0) {
                return cut_off(from, i + 1);
            }
        }
        return std::nullopt;
    }

private:
    // What follows, beginning with c; nothing if it begins otherwise.
    std::string_view skip_to(char c) {
        const std::string_view before = rest_;
        if (!take(c))
            return {};
        return before.substr(before.size() - rest_.size() - 1);
    }
    // Behind the closing quotation mark; beyond the text if there is none.
    static std::size_t end_of_string(std::string_view text, std::size_t open) {
        std::size_t i = open + 1;
        while (i < text.size() && text[i] != '"')
            i += text[i] == '\\' ? 2 : 1;
        return i + 1;
    }
    std::optional<std::string_view> cut_off(std::string_view from, std::size_t bytes) {
        if (bytes > from.size())
            return std::nullopt;
        rest_ = from.substr(bytes);
        return from.substr(0, bytes);
    }

    std::string_view rest_;
};

// The name of a call, with its quotation marks; the cursor then stands before the arguments.
std::optional<std::string_view> take_call_to_arguments(Cursor& cursor) {
    if (!cursor.take('{') || !cursor.take_key(R"("name")"))
        return std::nullopt;
    const auto name = cursor.take_string();
    if (!name || !cursor.take(',') || !cursor.take_key(R"("arguments")"))
        return std::nullopt;
    return name;
}

}  // namespace

std::string demanded_calls_form(const Json& tools, bool several) {
    Json definitions = Json::object();
    Json choices = Json::array();
    for (const Json& tool : tools) {
        const Json& function = member(tool, "function");
        Json arguments = arguments_schema(member(function, "parameters"));
        const std::string name = "f" + std::to_string(choices.size());
        const std::string root = "#/$defs/" + name;
        if (move_references(arguments, root)) {
            definitions[name] = std::move(arguments);
            arguments = {{"$ref", root}};
        }
        // In this order: what is called is said before with what.
        Json properties = Json::object();
        properties["name"] = {{"const", member(function, "name")}};
        properties["arguments"] = std::move(arguments);
        choices.push_back({{"type", "object"},
                           {"properties", std::move(properties)},
                           {"required", Json::array({"name", "arguments"})},
                           {"additionalProperties", false}});
    }
    Json schema = {
        {"type", "array"}, {"minItems", 1}, {"maxItems", several ? demanded_calls_max : 1}};
    schema["items"] = choices.size() == 1 ? Json(choices[0]) : Json{{"anyOf", choices}};
    if (!definitions.empty())
        schema["$defs"] = std::move(definitions);
    return dump({{"json_schema", std::move(schema)}});
}

std::vector<core::ToolCall> read_demanded_calls(std::string_view text,
                                                const std::function<std::string()>& make_id) {
    std::vector<core::ToolCall> calls;
    Cursor cursor(text);
    for (bool more = cursor.take('['); more; more = cursor.take(',')) {
        const auto name = take_call_to_arguments(cursor);
        if (!name)
            break;
        const auto arguments = cursor.take_object();
        if (!arguments || !cursor.take('}'))
            break;
        const Json read = Json::parse(*name, nullptr, false);
        if (!read.is_string())
            break;
        calls.push_back({make_id(), read.get<std::string>(), std::string(*arguments)});
    }
    return calls;
}

bool calls_without_object(std::string_view text) {
    Cursor cursor(text);
    for (bool more = cursor.take('['); more; more = cursor.take(',')) {
        if (!take_call_to_arguments(cursor) || cursor.at_end())
            return false;
        if (!cursor.stands_at('{'))
            return true;
        if (!cursor.take_object() || !cursor.take('}'))
            return false;
    }
    return false;
}

}  // namespace idlewatt::engine
