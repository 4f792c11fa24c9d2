// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/choice_checker.hpp"

#include <utility>

#include <nlohmann/json.hpp>

#include "engine/memory_engine.hpp"

namespace idlewatt::simulator {

namespace {

using Json = nlohmann::json;

constexpr std::size_t quoted_bytes = 40;

std::string text_at(const Json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() && found->is_string()
               ? found->get<std::string>()
               : std::string();
}

}  // namespace

ChoiceChecker::ChoiceChecker(std::string work_json, core::Task task)
    : work_bytes_(work_json.size()),
      answer_(engine::MemoryAnswer::to(work_json, task)),
      right_(engine::memory_answer(work_json, task)),
      right_thoughts_(answer_.reasoning()),
      right_calls_(answer_.calls()) {}

void ChoiceChecker::take_message(const Json& message, std::vector<std::string>& complaints) {
    const std::string thoughts = text_at(message, "reasoning_content");
    if (!thoughts.empty() && received_bytes_ > 0)
        complaints.emplace_back("thoughts behind the text");
    thoughts_ += thoughts;
    if (!right_thoughts_.starts_with(thoughts_))
        complaints.emplace_back("thoughts that are not the right ones");
    take_text(text_at(message, "content"), complaints);
    if (message.is_object() && message.contains("tool_calls"))
        take_calls(message["tool_calls"], complaints);
}

void ChoiceChecker::take_text(std::string_view text, std::vector<std::string>& complaints) {
    if (text.empty() || strayed_)
        return;
    if (finished_)
        complaints.emplace_back("text after finish_reason");
    const std::string_view expected = std::string_view(right_).substr(received_bytes_);
    if (expected.starts_with(text)) {
        received_bytes_ += text.size();
        return;
    }
    strayed_ = true;
    complaints.push_back("after " + std::to_string(received_bytes_) + " right bytes came \"" +
                         std::string(text.substr(0, quoted_bytes)) + "\" instead of \"" +
                         std::string(expected.substr(0, quoted_bytes)) + "\"");
}

// Entries of a whole answer, or of a stream, where the index says to which call a part belongs.
void ChoiceChecker::take_calls(const Json& calls, std::vector<std::string>& complaints) {
    if (finished_)
        complaints.emplace_back("a call after finish_reason");
    if (!calls.is_array()) {
        complaints.emplace_back("tool_calls is no list");
        return;
    }
    for (const Json& call : calls) {
        const std::size_t index = call.value("index", calls_.size());
        if (index > calls_.size()) {
            complaints.emplace_back("a call of which the beginning is missing");
            return;
        }
        if (index == calls_.size()) {
            calls_.push_back({text_at(call, "id"), {}, {}});
            if (calls_.size() > right_calls_.size()) {
                complaints.emplace_back("a call too many");
                return;
            }
            calls_.back().id = right_calls_[index].id;  // ids are the engine's to choose
        }
        const Json function = call.value("function", Json::object());
        calls_[index].name += text_at(function, "name");
        calls_[index].arguments_json += text_at(function, "arguments");
        if (!right_calls_[index].arguments_json.starts_with(calls_[index].arguments_json))
            complaints.emplace_back("a call with other arguments than the right ones");
    }
}

void ChoiceChecker::take_finish(const std::string& reason, std::vector<std::string>& complaints) {
    if (finished_)
        complaints.emplace_back("finish_reason came twice");
    finished_ = true;
    if (received_bytes_ != right_.size()) {
        complaints.push_back("finished after " + std::to_string(received_bytes_) + " of " +
                             std::to_string(right_.size()) + " bytes");
    }
    if (thoughts_ != right_thoughts_)
        complaints.emplace_back("finished without its thoughts");
    if (!calls_complete())
        complaints.emplace_back("finished without its calls");
    const std::string right =
        answer_.cut() ? "length" : (right_calls_.empty() ? "stop" : "tool_calls");
    if (reason != right)
        complaints.push_back("finish_reason is " + reason + " instead of " + right);
}

std::uint32_t ChoiceChecker::tokens_received() const {
    if (finished_)
        return tokens_right();
    if (thoughts_ != right_thoughts_)
        return 0;
    std::size_t bytes = 0;
    for (std::uint32_t position = 0; position < answer_.tokens(); ++position) {
        bytes += answer_.text(position).size();
        if (bytes > received_bytes_)
            return position;
        if (position >= answer_.text_end() && !calls_complete())
            return answer_.text_end();
    }
    return answer_.tokens();
}

std::uint32_t ChoiceChecker::tokens_right() const {
    return answer_.tokens() + (answer_.cut() ? 0 : 1);
}

std::uint32_t ChoiceChecker::prompt_tokens() const {
    return static_cast<std::uint32_t>(work_bytes_ / 4 + 1);
}

}  // namespace idlewatt::simulator
