// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What goes out, written as text directly. chat_request.cpp is what comes in.
#include "wire/chat.hpp"

#include "base/assert.hpp"
#include "wire/chat_text.hpp"

namespace idlewatt::wire {

namespace {

std::string_view finish_name(core::FinishReason reason) {
    switch (reason) {
        case core::FinishReason::stop:
            return "stop";
        case core::FinishReason::length:
            return "length";
        case core::FinishReason::tool_calls:
            return "tool_calls";
    }
    base::assertion_failed("closed enum FinishReason", __FILE__, __LINE__);
}

// `{"id":…,"object":…,"created":…,"model":…,`
void append_head(std::string& out, const AnswerHead& head, std::string_view object) {
    out += R"({"id":)";
    append_json_string(out, "chatcmpl-" + head.work.value);
    out += R"(,"object":")";
    out += object;
    out += R"(","created":)";
    out += std::to_string(head.created.us / 1'000'000);
    out += R"(,"model":)";
    append_json_string(out, head.model);
    out += ',';
}

void append_usage(std::string& out, const Usage& usage) {
    const std::uint64_t total = std::uint64_t{usage.prompt_tokens} + usage.completion_tokens;
    out += R"("usage":{"prompt_tokens":)";
    out += std::to_string(usage.prompt_tokens);
    out += R"(,"completion_tokens":)";
    out += std::to_string(usage.completion_tokens);
    out += R"(,"total_tokens":)";
    out += std::to_string(total);
    out += R"(,"prompt_tokens_details":{"cached_tokens":)";
    out += std::to_string(usage.cached_tokens);
    out += R"(},"completion_tokens_details":{"reasoning_tokens":0}})";
}

std::string open_chunk(const AnswerHead& head, std::size_t text_bytes) {
    std::string out;
    out.reserve(text_bytes + head.model.size() + head.work.value.size() + 224);
    out += "data: ";
    append_head(out, head, "chat.completion.chunk");
    return out;
}

// One choice with its delta, given as JSON.
void append_choice(std::string& out, const AnswerHead& head, std::string_view finish) {
    out += R"(},"finish_reason":)";
    if (finish.empty()) {
        out += "null";
    } else {
        append_json_string(out, finish);
    }
    out += head.include_usage ? "}],\"usage\":null}\n\n" : "}]}\n\n";
}

constexpr std::string_view choice_start = R"("choices":[{"index":0,"delta":{)";

void append_null_or_string(std::string& out, std::string_view text) {
    if (text.empty()) {
        out += "null";
    } else {
        append_json_string(out, text);
    }
}

std::string error_object(std::string_view type, std::string_view code, std::string_view message,
                         std::string_view parameter) {
    std::string out = R"({"error":{"message":)";
    append_json_string(out, message);
    out += R"(,"type":)";
    append_json_string(out, type);
    out += R"(,"param":)";
    append_null_or_string(out, parameter);
    out += R"(,"code":)";
    append_null_or_string(out, code);
    out += "}}";
    return out;
}

std::string_view type_of_stream_error(std::string_view code) {
    if (code == "no_capacity" || code == "server_is_overloaded") {
        return "service_unavailable_error";
    }
    if (code == "context_length_exceeded" || code == "invalid_value") {
        return "invalid_request_error";
    }
    return "server_error";
}

}  // namespace

std::string role_event(const AnswerHead& head) {
    std::string out = open_chunk(head, 0);
    out += choice_start;
    out += R"("role":"assistant","content":"")";
    append_choice(out, head, {});
    return out;
}

std::string text_event(const AnswerHead& head, std::string_view text) {
    std::string out = open_chunk(head, text.size());
    out += choice_start;
    out += R"("content":)";
    append_json_string(out, text);
    append_choice(out, head, {});
    return out;
}

std::string finish_event(const AnswerHead& head, core::FinishReason reason) {
    std::string out = open_chunk(head, 0);
    out += choice_start;
    append_choice(out, head, finish_name(reason));
    return out;
}

std::string usage_event(const AnswerHead& head, const Usage& usage) {
    std::string out = open_chunk(head, 0);
    out += R"("choices":[],)";
    append_usage(out, usage);
    out += "}\n\n";
    return out;
}

std::string error_event(std::string_view code, std::string_view message) {
    return "data: " + error_object(type_of_stream_error(code), code, message, {}) + "\n\n";
}

std::string done_event() {
    return "data: [DONE]\n\n";
}

std::string comment_event(std::string_view text) {
    std::string out = ": ";
    for (const char c : text) {
        out += c == '\n' || c == '\r' ? ' ' : c;
    }
    out += "\n\n";
    return out;
}

std::string chat_answer(const AnswerHead& head, std::string_view text, core::FinishReason reason,
                        const Usage& usage) {
    std::string out;
    out.reserve(text.size() + head.model.size() + 512);
    append_head(out, head, "chat.completion");
    out += R"("choices":[{"index":0,"message":{"role":"assistant","content":)";
    append_json_string(out, text);
    out += R"(,"refusal":null},"logprobs":null,"finish_reason":")";
    out += finish_name(reason);
    out += R"("}],)";
    append_usage(out, usage);
    out += '}';
    return out;
}

std::string error_body(std::string_view type, std::string_view code, std::string_view message) {
    return error_object(type, code, message, {});
}

std::string error_body(const ChatRefusal& refusal) {
    return error_object("invalid_request_error", refusal.code, refusal.message, refusal.parameter);
}

std::string models_body(const std::vector<std::string>& models, base::WallTime created) {
    std::string out = R"({"object":"list","data":[)";
    for (const std::string& model : models) {
        if (out.back() == '}') {
            out += ',';
        }
        out += R"({"id":)";
        append_json_string(out, model);
        out += R"(,"object":"model","created":)";
        out += std::to_string(created.us / 1'000'000);
        out += R"(,"owned_by":"idlewatt"})";
    }
    out += "]}";
    return out;
}

}  // namespace idlewatt::wire
