// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/assert.hpp"
#include "wire/answer.hpp"
#include "wire/answer_text.hpp"
#include "wire/chat_text.hpp"
#include "wire/logprobs.hpp"

namespace idlewatt::wire {

namespace {

core::FinishReason reason_of(const WholeChoice& choice) {
    const bool called = !choice.tool_calls.empty() && choice.reason == core::FinishReason::stop;
    return called ? core::FinishReason::tool_calls : choice.reason;
}

void append_message(std::string& out, const WholeChoice& choice) {
    out += R"("message":{"role":"assistant","content":)";
    if (choice.text.empty() && !choice.tool_calls.empty()) {
        out += "null";
    } else {
        append_json_string(out, choice.text);
    }
    out += R"(,"refusal":null)";
    if (!choice.reasoning.empty()) {
        out += R"(,"reasoning_content":)";
        append_json_string(out, choice.reasoning);
    }
    for (const core::ToolCall& call : choice.tool_calls) {
        out += &call == choice.tool_calls.data() ? R"(,"tool_calls":[{"id":)" : R"(,{"id":)";
        append_json_string(out, call.id);
        out += R"(,"type":"function",)";
        append_function(out, call.name, call.arguments_json);
        out += '}';
    }
    out += choice.tool_calls.empty() ? "}" : "]}";
}

void append_chat_choice(std::string& out, const AnswerHead& head, const WholeChoice& choice) {
    append_message(out, choice);
    out += R"(,"logprobs":)";
    if (head.top_logprobs) {
        append_chat_logprobs(out, choice.logprobs_json, *head.top_logprobs);
    } else {
        out += "null";
    }
    out += R"(,"finish_reason":")";
    out += finish_name(reason_of(choice));
}

void append_completion_choice(std::string& out, const AnswerHead& head, const WholeChoice& choice) {
    out += R"("text":)";
    append_json_string(out, choice.text);
    out += R"(,"logprobs":)";
    if (head.top_logprobs) {
        append_completion_logprobs(out, choice.logprobs_json, *head.top_logprobs, 0);
    } else {
        out += "null";
    }
    out += R"(,"finish_reason":")";
    out += choice.reason == core::FinishReason::length ? "length" : "stop";
}

}  // namespace

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

void append_head(std::string& out, const AnswerHead& head, std::string_view object) {
    // An id needs no escaping; anything else is our own mistake.
    IDLEWATT_ASSERT(core::is_id(head.work.value));
    out += head.task == core::Task::completion ? R"({"id":"cmpl-)" : R"({"id":"chatcmpl-)";
    out += head.work.value;
    out += R"(","object":")";
    out += object;
    out += R"(","created":)";
    out += std::to_string(head.created.us / 1'000'000);
    out += R"(,"model":)";
    append_json_string(out, head.model);
    // Hexadecimal digits need no escaping; see decode_announcement().
    out += R"(,"system_fingerprint":)";
    if (head.fingerprint.empty()) {
        out += "null,";
    } else {
        out += "\"fp_";
        out += head.fingerprint;
        out += "\",";
    }
}

void append_tier(std::string& out, const AnswerHead& head) {
    if (!head.service_tier.empty()) {
        out += R"("service_tier":)";
        append_json_string(out, head.service_tier);
        out += ',';
    }
}

void append_usage_object(std::string& out, const Usage& usage) {
    const std::uint64_t total = std::uint64_t{usage.prompt_tokens} + usage.completion_tokens;
    out += R"("usage":{"prompt_tokens":)";
    out += std::to_string(usage.prompt_tokens);
    out += R"(,"completion_tokens":)";
    out += std::to_string(usage.completion_tokens);
    out += R"(,"total_tokens":)";
    out += std::to_string(total);
    out += R"(,"prompt_tokens_details":{"cached_tokens":)";
    out += std::to_string(usage.cached_tokens);
    out += R"(},"completion_tokens_details":{"reasoning_tokens":)";
    out += std::to_string(usage.reasoning_tokens);
    out += "}}";
}

void append_function(std::string& out, std::string_view name, std::string_view arguments_json) {
    out += R"("function":{"name":)";
    append_json_string(out, name);
    out += R"(,"arguments":)";
    append_json_string(out, arguments_json);
    out += '}';
}

void WholeChoice::append(const core::Piece& piece) {
    text += piece.text;
    reasoning += piece.reasoning;
    tool_calls.insert(tool_calls.end(), piece.tool_calls.begin(), piece.tool_calls.end());
    if (!piece.logprobs_json.empty())
        logprobs_json.push_back(piece.logprobs_json);
}

std::size_t WholeChoice::bytes() const {
    std::size_t sum = text.size() + reasoning.size();
    for (const core::ToolCall& call : tool_calls)
        sum += sizeof call + call.id.size() + call.name.size() + call.arguments_json.size();
    for (const std::string& json : logprobs_json)
        sum += sizeof json + json.size();
    return sum;
}

WholeChoice echoed_choice(std::string_view echo) {
    WholeChoice choice;
    choice.text = echo;
    return choice;
}

std::string whole_answer(const AnswerHead& head, std::span<const WholeChoice> choices,
                         const Usage& usage) {
    const bool completion = head.task == core::Task::completion;
    std::string out;
    std::size_t bytes = head.model.size() + 512;
    for (const WholeChoice& choice : choices)
        bytes += choice.bytes() + 256;
    out.reserve(bytes);
    append_head(out, head, completion ? "text_completion" : "chat.completion");
    append_tier(out, head);
    out += R"("choices":[)";
    for (std::size_t i = 0; i < choices.size(); ++i) {
        out += i == 0 ? R"({"index":)" : R"(,{"index":)";
        out += std::to_string(i);
        out += ',';
        if (completion) {
            append_completion_choice(out, head, choices[i]);
        } else {
            append_chat_choice(out, head, choices[i]);
        }
        out += "\"}";
    }
    out += "],";
    append_usage_object(out, usage);
    out += '}';
    return out;
}

}  // namespace idlewatt::wire
