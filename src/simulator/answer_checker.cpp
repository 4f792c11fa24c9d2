// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/answer_checker.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "engine/memory_engine.hpp"

namespace idlewatt::simulator {

namespace {

using Json = nlohmann::json;

constexpr std::size_t shown_bytes = 40;

const Json& member(const Json& object, const char* key) {
    static const Json null;
    if (!object.is_object())
        return null;
    const auto found = object.find(key);
    return found == object.end() ? null : *found;
}

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : std::string();
}

}  // namespace

std::string_view name(AnswerEnd end) {
    static constexpr std::array<std::string_view, 6> names = {"open",    "whole",  "error",
                                                              "refused", "broken", "hung_up"};
    return names[static_cast<std::size_t>(end)];
}

AnswerChecker::AnswerChecker(std::string request_json, bool streamed)
    : request_bytes_(request_json.size()),
      streamed_(streamed),
      answer_(engine::MemoryAnswer::to(request_json)),
      right_(engine::memory_answer(request_json)) {}

void AnswerChecker::complain(std::string what) {
    violations_.push_back(std::move(what));
}

void AnswerChecker::head(int status, bool has_retry_after) {
    if (status_ != 0)
        complain("a second status line");
    status_ = status;
    retry_after_ = has_retry_after;
}

void AnswerChecker::body(std::string_view bytes) {
    if (ended_ != AnswerEnd::open)
        complain("bytes after the end");
    if (!streamed_ || status_ != 200) {
        whole_body_ += bytes;
        return;
    }
    for (const EventReader::Event& event : reader_.feed(bytes))
        take_event(event);
    if (!reader_.complaint().empty())
        complain(reader_.complaint());
}

void AnswerChecker::take_event(const EventReader::Event& event) {
    if (done_ || !error_code_.empty()) {
        complain("an event after the last one");
        return;
    }
    if (event.comment)
        return;
    if (event.text == "[DONE]") {
        done_ = true;
        if (!finished_)
            complain("[DONE] without finish_reason");
        return;
    }
    const Json json = Json::parse(event.text, nullptr, false);
    if (!json.is_object()) {
        complain("an event is no JSON object: " + event.text.substr(0, shown_bytes));
    } else if (json.contains("error")) {
        take_error(json["error"]);
    } else {
        take_chunk(json);
    }
}

void AnswerChecker::take_chunk(const Json& chunk) {
    take_id(chunk);
    if (text_of(member(chunk, "object")) != "chat.completion.chunk")
        complain("a chunk that is no chat.completion.chunk");
    const Json& usage = member(chunk, "usage");
    if (!usage.is_null())
        take_usage(usage);
    const Json& choices = member(chunk, "choices");
    if (!choices.is_array() || choices.empty()) {
        if (usage.is_null())
            complain("a chunk without choice and usage");
        return;
    }
    const Json& delta = member(choices[0], "delta");
    if (member(delta, "role").is_string()) {
        if (role_seen_)
            complain("the role came twice");
        role_seen_ = true;
    }
    if (!role_seen_)
        complain("text before the role");
    take_text(text_of(member(delta, "content")));
    const std::string reason = text_of(member(choices[0], "finish_reason"));
    if (!reason.empty())
        take_finish(reason);
}

void AnswerChecker::take_text(std::string_view text) {
    if (text.empty() || strayed_)
        return;
    if (finished_)
        complain("text after finish_reason");
    const std::string_view expected = std::string_view(right_).substr(received_bytes_);
    if (expected.starts_with(text)) {
        received_bytes_ += text.size();
        return;
    }
    strayed_ = true;
    complain("after " + std::to_string(received_bytes_) + " right bytes came \"" +
             std::string(text.substr(0, shown_bytes)) + "\" instead of \"" +
             std::string(expected.substr(0, shown_bytes)) + "\"");
}

void AnswerChecker::take_finish(const std::string& reason) {
    if (finished_)
        complain("finish_reason came twice");
    finished_ = true;
    if (received_bytes_ != right_.size()) {
        complain("finished after " + std::to_string(received_bytes_) + " of " +
                 std::to_string(right_.size()) + " bytes");
    }
    const std::string right = answer_.cut() ? "length" : "stop";
    if (reason != right)
        complain("finish_reason is " + reason + " instead of " + right);
}

void AnswerChecker::take_usage(const Json& usage) {
    if (usage_seen_)
        complain("usage came twice");
    usage_seen_ = true;
    const auto number = [&usage](const char* key) {
        const Json& value = member(usage, key);
        return value.is_number_unsigned() ? value.get<std::uint64_t>() : std::uint64_t{0};
    };
    if (number("completion_tokens") != tokens_right()) {
        complain("usage counts " + std::to_string(number("completion_tokens")) +
                 " completion tokens instead of " + std::to_string(tokens_right()));
    }
    // The twin's count: four bytes of the request are a token.
    if (number("prompt_tokens") != request_bytes_ / 4 + 1)
        complain("usage counts " + std::to_string(number("prompt_tokens")) + " prompt tokens");
    if (number("total_tokens") != number("prompt_tokens") + number("completion_tokens"))
        complain("usage does not add up");
}

void AnswerChecker::take_error(const Json& error) {
    error_code_ = text_of(member(error, "code"));
    if (error_code_.empty() || text_of(member(error, "message")).empty()) {
        complain("an error without code or message");
        error_code_ = "unknown";
    }
    if (finished_)
        complain("an error after finish_reason");
}

void AnswerChecker::take_id(const Json& object) {
    constexpr std::string_view prefix = "chatcmpl-";
    const std::string id = text_of(member(object, "id"));
    if (!id.starts_with(prefix)) {
        complain("an answer without an id");
        return;
    }
    if (!work_.empty() && id.substr(prefix.size()) != work_)
        complain("the answer's id changed on the way");
    work_ = id.substr(prefix.size());
}

void AnswerChecker::take_whole(const Json& answer) {
    take_id(answer);
    const Json& choices = member(answer, "choices");
    if (!choices.is_array() || choices.size() != 1) {
        complain("a whole answer without its choice");
        return;
    }
    take_text(text_of(member(member(choices[0], "message"), "content")));
    take_finish(text_of(member(choices[0], "finish_reason")));
    take_usage(member(answer, "usage"));
    done_ = true;
}

void AnswerChecker::end(bool complete) {
    if (ended_ != AnswerEnd::open) {
        complain("a second end");
        return;
    }
    if (!complete) {
        ended_ = AnswerEnd::broken;
        return;
    }
    if (status_ != 200) {
        ended_ = AnswerEnd::refused;
        const Json json = Json::parse(whole_body_, nullptr, false);
        take_error(member(json, "error"));
        if ((status_ == 429 || status_ == 503) && !retry_after_)
            complain("status " + std::to_string(status_) + " without Retry-After");
        return;
    }
    if (!streamed_) {
        ended_ = AnswerEnd::whole;
        take_whole(Json::parse(whole_body_, nullptr, false));
        return;
    }
    ended_ = done_ ? AnswerEnd::whole : AnswerEnd::error;
    if (reader_.in_event())
        complain("the stream ended within an event");
    if (done_ && !usage_seen_)
        complain("usage was asked for and did not come");
    if (!done_ && error_code_.empty())
        complain("the answer was cut silently: neither [DONE] nor an error");
}

void AnswerChecker::hang_up() {
    if (ended_ == AnswerEnd::open)
        ended_ = AnswerEnd::hung_up;
}

std::uint32_t AnswerChecker::tokens_received() const {
    std::size_t bytes = 0;
    for (std::uint32_t position = 0; position < answer_.tokens(); ++position) {
        bytes += answer_.text(position).size();
        if (bytes > received_bytes_)
            return position;
    }
    return finished_ ? tokens_right() : answer_.tokens();
}

std::uint32_t AnswerChecker::tokens_right() const {
    return answer_.tokens() + (answer_.cut() ? 0 : 1);
}

}  // namespace idlewatt::simulator
