// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Engines know tools and the choices none, auto and required. A choice of certain tools becomes a
// shorter list of tools, which means the same.
#include <algorithm>
#include <array>
#include <vector>

#include "wire/chat_checks.hpp"

namespace idlewatt::wire {

namespace {

constexpr std::array<std::string_view, 3> modes{"none", "auto", "required"};

Objection check_tool(const RequestJson& tool, const std::string& name) {
    if (!tool.is_object())
        return wrong(name, "an object with type and function", &tool);
    const RequestJson* type = field(tool, "type");
    if (type == nullptr || !type->is_string())
        return wrong(name + ".type", "the string \"function\"", type);
    if (*type != "function")
        return unsupported(name + ".type", "A tool other than a function is");
    const RequestJson* function = field(tool, "function");
    if (function == nullptr || !function->is_object())
        return wrong(name + ".function", "an object with a name", function);
    const RequestJson* called = field(*function, "name");
    if (called == nullptr || !is_function_name(*called)) {
        return wrong(name + ".function.name", "1 to 64 characters of [a-zA-Z0-9_-]", called);
    }
    const RequestJson* parameters = field(*function, "parameters");
    if (parameters != nullptr && !parameters->is_object())
        return wrong(name + ".function.parameters", "a JSON schema", parameters);
    const RequestJson* shape = parameters != nullptr ? field(*parameters, "type") : nullptr;
    if (shape != nullptr && *shape != "object") {
        return wrong(name + ".function.parameters", "a JSON schema of the type object", parameters);
    }
    const RequestJson* strict = field(*function, "strict");
    if (strict != nullptr && !strict->is_boolean())
        return wrong(name + ".function.strict", "true or false", strict);
    const RequestJson* description = field(*function, "description");
    if (description != nullptr && !description->is_string())
        return wrong(name + ".function.description", "a string", description);
    return std::nullopt;
}

// The function that {"type":"function","function":{"name":…}} names; null if it names none.
const RequestJson* function_named(const RequestJson& reference) {
    if (!reference.is_object())
        return nullptr;
    const RequestJson* type = field(reference, "type");
    const RequestJson* function = field(reference, "function");
    if (type == nullptr || *type != "function" || function == nullptr || !function->is_object())
        return nullptr;
    const RequestJson* name = field(*function, "name");
    return name != nullptr && name->is_string() ? name : nullptr;
}

class Choice {
public:
    Choice(ChatDocument& document, ApiRequest& request) : document_(document), request_(request) {}

    Objection read(const RequestJson& choice) {
        if (choice.is_string()) {
            if (!is_one_of(choice, modes))
                return wrong_word("tool_choice", expected, &choice);
            if (choice == "required" && !request_.wants_tools)
                return without_tools();
            request_.wants_tools = request_.wants_tools && choice != "none";
            return std::nullopt;
        }
        const RequestJson* type = choice.is_object() ? field(choice, "type") : nullptr;
        if (type == nullptr || !type->is_string())
            return wrong("tool_choice", expected, &choice);
        if (*type == "custom")
            return unsupported("tool_choice", "A tool other than a function is");
        if (!request_.wants_tools)
            return without_tools();
        if (*type == "allowed_tools")
            return read_allowed(choice);
        return keep({choice}, "required");
    }

private:
    static constexpr const char* expected =
        "none, auto, required, a function by name or allowed_tools";

    static ApiError without_tools() {
        return api_error(ApiErrorCode::invalid_value,
                         "'tool_choice' names tools, but 'tools' has none.", "tool_choice");
    }

    // {"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[…]}}
    Objection read_allowed(const RequestJson& choice) {
        const RequestJson* allowed = field(choice, "allowed_tools");
        const RequestJson* mode =
            allowed != nullptr && allowed->is_object() ? field(*allowed, "mode") : nullptr;
        const RequestJson* tools = mode != nullptr ? field(*allowed, "tools") : nullptr;
        const bool good = tools != nullptr && tools->is_array() && !tools->empty() &&
                          (*mode == "auto" || *mode == "required");
        if (!good) {
            return wrong("tool_choice.allowed_tools",
                         "an object with mode (auto, required) and tools", allowed);
        }
        return keep({tools->begin(), tools->end()}, mode->get<std::string>());
    }

    // The list is at most request_values_max long and the tools at most tools_max.
    Objection keep(const std::vector<RequestJson>& references, const std::string& mode) {
        RequestJson& tools = document_.json["tools"];
        std::vector<bool> kept(tools.size(), false);
        for (const RequestJson& reference : references) {
            const RequestJson* name = function_named(reference);
            if (name == nullptr)
                return wrong("tool_choice", expected, &reference);
            bool found = false;
            for (std::size_t i = 0; i < tools.size(); ++i) {
                if (tools[i]["function"]["name"] == *name)
                    kept[i] = found = true;
            }
            if (!found) {
                return api_error(ApiErrorCode::invalid_value,
                                 "'tool_choice' names a function that is not among 'tools'.",
                                 "tool_choice");
            }
        }
        RequestJson rest = RequestJson::array();
        for (std::size_t i = 0; i < tools.size(); ++i) {
            if (kept[i])
                rest.push_back(std::move(tools[i]));
        }
        tools = std::move(rest);
        document_.json["tool_choice"] = mode;
        document_.rewritten = true;
        return std::nullopt;
    }

    ChatDocument& document_;
    ApiRequest& request_;
};

}  // namespace

Objection read_tools(ChatDocument& document, ApiRequest& request) {
    for (const char* name : {"functions", "function_call"}) {
        const RequestJson* value = field(document.json, name);
        const bool harmless = value == nullptr || *value == "none" || *value == "auto" ||
                              (value->is_structured() && value->empty());
        if (!harmless)
            return unsupported(name, "'" + std::string(name) + "', which 'tools' replaced, is");
    }
    if (const RequestJson* tools = field(document.json, "tools")) {
        const std::string expected = "an array of at most " + std::to_string(tools_max) + " tools";
        if (!tools->is_array() || tools->size() > tools_max)
            return wrong("tools", expected, tools);
        for (std::size_t i = 0; i < tools->size(); ++i) {
            const std::string name = "tools[" + std::to_string(i) + "]";
            if (Objection objection = check_tool((*tools)[i], name))
                return objection;
        }
        request.wants_tools = !tools->empty();
    }
    if (Objection objection = check_boolean(document.json, "parallel_tool_calls"))
        return objection;
    const RequestJson* choice = field(document.json, "tool_choice");
    if (choice == nullptr)
        return std::nullopt;
    const RequestJson copy = *choice;  // the document changes
    return Choice(document, request).read(copy);
}

}  // namespace idlewatt::wire
