// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/answer_checker.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "engine/memory_stream.hpp"
#include "wire/chat.hpp"
#include "wire/completion.hpp"
#include "wire/embedding.hpp"

namespace idlewatt::simulator {

namespace {

using Json = nlohmann::json;

constexpr std::size_t shown_bytes = 40;

tl::expected<wire::ApiRequest, wire::ApiError> parse(core::Task task, std::string_view body) {
    if (task == core::Task::embedding)
        return wire::parse_embedding_request(body);
    return task == core::Task::chat ? wire::parse_chat_request(body)
                                    : wire::parse_completion_request(body);
}

std::string base64(std::string_view bytes) {
    std::string text = base::to_base64url(bytes);
    std::ranges::replace(text, '-', '+');
    std::ranges::replace(text, '_', '/');
    text.append((4 - text.size() % 4) % 4, '=');
    return text;
}

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

AnswerChecker::AnswerChecker(const std::string& request_json, bool streamed, core::Task task)
    : streamed_(streamed), task_(task) {
    std::vector<std::string> works{request_json};
    // What is no question for a gateway is one choice for the twin.
    if (const auto parsed = parse(task, request_json)) {
        works = parsed->works;
        choices_per_prompt_ = parsed->n;
    }
    if (task == core::Task::embedding) {
        const auto request = engine::read_request(works[0], task);
        if (!request)
            return;
        for (const engine::Input& input : request->inputs) {
            vectors_.push_back(engine::memory_embedding(input));
            prompt_tokens_ +=
                static_cast<std::uint32_t>(std::get<std::string>(input).size() / 4 + 1);
        }
        return;
    }
    std::uint32_t of_prompt = 0;
    for (std::size_t i = 0; i < works.size(); ++i) {
        choices_.emplace_back(works[i], task);
        of_prompt = std::max(of_prompt, choices_.back().prompt_tokens());
        if ((i + 1) % choices_per_prompt_ == 0)
            prompt_tokens_ += std::exchange(of_prompt, 0);
    }
    roles_seen_.resize(choices_.size());
}

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
        if (!all_finished())
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
    const std::string object =
        task_ == core::Task::chat ? "chat.completion.chunk" : "text_completion";
    if (text_of(member(chunk, "object")) != object)
        complain("a chunk that is no " + object);
    const Json& usage = member(chunk, "usage");
    if (!usage.is_null())
        take_usage(usage);
    const Json& choices = member(chunk, "choices");
    if (!choices.is_array() || choices.empty()) {
        if (usage.is_null())
            complain("a chunk without choice and usage");
        return;
    }
    for (const Json& choice : choices)
        take_choice(choice);
}

void AnswerChecker::take_choice(const Json& choice) {
    const Json& index = member(choice, "index");
    if (!index.is_number_unsigned() || index.get<std::size_t>() >= choices_.size()) {
        complain("a choice that nobody asked for");
        return;
    }
    const auto number = index.get<std::size_t>();
    ChoiceChecker& checker = choices_[number];
    if (task_ == core::Task::completion) {
        checker.take_text(text_of(member(choice, "text")), violations_);
    } else {
        const Json& message = member(choice, streamed_ ? "delta" : "message");
        if (member(message, "role").is_string()) {
            if (roles_seen_[number])
                complain("the role came twice");
            roles_seen_[number] = true;
        }
        if (!roles_seen_[number])
            complain("text before the role");
        checker.take_message(message, violations_);
    }
    const std::string reason = text_of(member(choice, "finish_reason"));
    if (!reason.empty())
        checker.take_finish(reason, violations_);
}

void AnswerChecker::take_vectors(const Json& list) {
    const Json& data = member(list, "data");
    if (!data.is_array() || data.size() != vectors_.size()) {
        complain("not as many vectors as inputs");
        return;
    }
    for (std::size_t i = 0; i < vectors_.size(); ++i) {
        const auto right = base64(vectors_[i]);
        if (text_of(member(data[i], "embedding")) != right)
            complain("vector " + std::to_string(i) + " is not the right one");
    }
}

bool AnswerChecker::all_finished() const {
    return std::ranges::all_of(choices_, &ChoiceChecker::finished);
}

void AnswerChecker::take_usage(const Json& usage) {
    if (usage_seen_)
        complain("usage came twice");
    usage_seen_ = true;
    const auto number = [&usage](const char* key) {
        const Json& value = member(usage, key);
        return value.is_number_unsigned() ? value.get<std::uint64_t>() : std::uint64_t{0};
    };
    const bool generates = task_ != core::Task::embedding;
    if (generates && number("completion_tokens") != tokens_right()) {
        complain("usage counts " + std::to_string(number("completion_tokens")) +
                 " completion tokens instead of " + std::to_string(tokens_right()));
    }
    if (number("prompt_tokens") != prompt_tokens_)
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
    if (!choices_.empty() && all_finished())
        complain("an error after finish_reason");
}

void AnswerChecker::take_id(const Json& object) {
    const std::string_view prefix = task_ == core::Task::chat ? "chatcmpl-" : "cmpl-";
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
    if (task_ == core::Task::embedding) {
        take_vectors(answer);
    } else {
        take_id(answer);
        const Json& choices = member(answer, "choices");
        if (!choices.is_array() || choices.size() != choices_.size()) {
            complain("a whole answer without its choices");
            return;
        }
        for (const Json& choice : choices)
            take_choice(choice);
        if (!all_finished())
            complain("a whole answer without finish_reason");
    }
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
    std::uint32_t tokens = 0;
    for (const ChoiceChecker& choice : choices_)
        tokens += choice.tokens_received();
    return tokens;
}

std::uint32_t AnswerChecker::tokens_right() const {
    std::uint32_t tokens = 0;
    for (const ChoiceChecker& choice : choices_)
        tokens += choice.tokens_right();
    return tokens;
}

}  // namespace idlewatt::simulator
