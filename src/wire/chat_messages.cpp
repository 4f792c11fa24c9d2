// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <array>

#include "wire/chat_checks.hpp"

namespace idlewatt::wire {

namespace {

constexpr std::array<std::string_view, 6> roles{"system",    "developer", "user",
                                                "assistant", "tool",      "function"};

// Checks one message after the other; name is how an error calls the place.
class Messages {
public:
    Messages(ChatDocument& document, ApiRequest& request)
        : document_(document), request_(request) {}

    Objection read(RequestJson& message, const std::string& name) {
        if (!message.is_object())
            return wrong(name, "an object with role and content", &message);
        const RequestJson* role = field(message, "role");
        if (role == nullptr || !is_one_of(*role, roles)) {
            return wrong_word(name + ".role", "system, developer, user, assistant or tool", role);
        }
        const std::string_view said_by = role->get_ref<const std::string&>();
        if (said_by == "assistant") {
            if (Objection objection = check_calls(message, name))
                return objection;
        }
        if (said_by == "tool" && !is_text(message, "tool_call_id")) {
            return wrong(name + ".tool_call_id", "the id of the call that this message answers",
                         field(message, "tool_call_id"));
        }
        if (Objection objection = read_content(message, name, said_by))
            return objection;
        if (said_by == "developer") {
            // OpenAI's newer name of the same role; chat templates know only the older one.
            message["role"] = "system";
            document_.rewritten = true;
        }
        return std::nullopt;
    }

private:
    static bool is_text(const RequestJson& object, const char* name) {
        const RequestJson* value = field(object, name);
        return value != nullptr && value->is_string();
    }

    Objection read_content(RequestJson& message, const std::string& name, std::string_view role) {
        const auto found = message.find("content");
        if (found == message.end() || found->is_null()) {
            if (role == "assistant")
                return std::nullopt;
            return wrong(name + ".content", "a string or an array of parts", nullptr);
        }
        if (found->is_string())
            return std::nullopt;
        if (!found->is_array() || found->empty())
            return wrong(name + ".content", "a string or an array of parts", &*found);
        for (std::size_t i = 0; i < found->size(); ++i) {
            const std::string part = name + ".content[" + std::to_string(i) + "]";
            if (Objection objection = read_part((*found)[i], part, role))
                return objection;
        }
        return std::nullopt;
    }

    Objection read_part(RequestJson& part, const std::string& name, std::string_view role) {
        if (!part.is_object())
            return wrong(name, "an object with a type", &part);
        const RequestJson* type = field(part, "type");
        if (type == nullptr || !type->is_string())
            return wrong(name + ".type", "the string \"text\" or \"image_url\"", type);
        const std::string_view kind = type->get_ref<const std::string&>();
        if (kind == "text") {
            if (!is_text(part, "text"))
                return wrong(name + ".text", "a string", field(part, "text"));
            return std::nullopt;
        }
        if (kind == "refusal" && role == "assistant") {
            if (!is_text(part, "refusal"))
                return wrong(name + ".refusal", "a string", field(part, "refusal"));
            // Templates know only text; it was said, in whatever part.
            part = {{"type", "text"}, {"text", part["refusal"]}};
            document_.rewritten = true;
            return std::nullopt;
        }
        if (kind == "image_url" && role == "user")
            return read_image(part, name);
        return unsupported(name + ".type",
                           "Content other than text and a user's pictures (audio, files) is");
    }

    // Engines have no network, and a gateway that fetched what strangers name could be sent to any
    // address of its own network.
    Objection read_image(const RequestJson& part, const std::string& name) {
        const RequestJson* image = field(part, "image_url");
        if (image == nullptr || !image->is_object())
            return wrong(name + ".image_url", "an object with a url", image);
        const RequestJson* url = field(*image, "url");
        if (url == nullptr || !url->is_string())
            return wrong(name + ".image_url.url", "a data: URL", url);
        const auto& text = url->get_ref<const std::string&>();
        if (!text.starts_with("data:image/") || text.find(";base64,") == std::string::npos) {
            return unsupported(name + ".image_url.url",
                               "A picture other than as data:image/…;base64,… is");
        }
        request_.has_images = true;
        return std::nullopt;
    }

    static Objection check_calls(const RequestJson& message, const std::string& name) {
        const RequestJson* calls = field(message, "tool_calls");
        if (calls == nullptr)
            return std::nullopt;
        if (!calls->is_array())
            return wrong(name + ".tool_calls", "an array of calls", calls);
        for (std::size_t i = 0; i < calls->size(); ++i) {
            const RequestJson& call = (*calls)[i];
            const std::string at = name + ".tool_calls[" + std::to_string(i) + "]";
            if (!call.is_object() || !is_text(call, "id"))
                return wrong(at, "an object with id, type and function", &call);
            const RequestJson* type = field(call, "type");
            if (type == nullptr || *type != "function")
                return unsupported(at + ".type", "A call of anything but a function is");
            const RequestJson* function = field(call, "function");
            if (function == nullptr || !function->is_object() || !is_text(*function, "name") ||
                !is_text(*function, "arguments")) {
                return wrong(at + ".function", "an object with name and arguments, both strings",
                             function);
            }
        }
        return std::nullopt;
    }

    ChatDocument& document_;
    ApiRequest& request_;
};

}  // namespace

Objection read_messages(ChatDocument& document, ApiRequest& request) {
    const auto messages = document.json.find("messages");
    if (messages == document.json.end() || !messages->is_array() || messages->empty()) {
        return wrong("messages", "an array of at least one message",
                     field(document.json, "messages"));
    }
    Messages reader(document, request);
    for (std::size_t i = 0; i < messages->size(); ++i) {
        const std::string name = "messages[" + std::to_string(i) + "]";
        if (Objection objection = reader.read((*messages)[i], name))
            return objection;
    }
    return std::nullopt;
}

}  // namespace idlewatt::wire
