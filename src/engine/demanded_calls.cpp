// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/demanded_calls.hpp"

#include <algorithm>
#include <array>

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

// The end of the last element that is whole of a list whose end is missing; 0: there is none.
std::size_t end_of_whole_elements(std::string_view text) {
    std::size_t end = 0;
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
        if (c == '{' || c == '[')
            ++depth;
        if ((c == '}' || c == ']') && depth > 0 && --depth == 1)
            end = i + 1;
    }
    return end;
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
    Json list = Json::parse(text, nullptr, false);
    if (!list.is_array())
        list = Json::parse(std::string(text.substr(0, end_of_whole_elements(text))) + "]", nullptr,
                           false);
    std::vector<core::ToolCall> calls;
    if (!list.is_array())
        return calls;
    for (const Json& element : list) {
        const std::string name = text_of(member(element, "name"));
        const Json& arguments = member(element, "arguments");
        if (!name.empty() && arguments.is_object())
            calls.push_back({make_id(), name, dump(arguments)});
    }
    return calls;
}

}  // namespace idlewatt::engine
