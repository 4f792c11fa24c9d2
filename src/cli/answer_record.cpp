// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/answer_record.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace idlewatt::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view id_prefix = "chatcmpl-";

void complain(AnswerRecord& record, std::string_view what) {
    if (record.protocol_complaint.empty())
        record.protocol_complaint = what;
}

std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void take_error(AnswerRecord& record, const Json& error) {
    if (!error.is_object()) {
        complain(record, "an error that is no object");
        record.error_code = "unknown";
        return;
    }
    record.error_code = text_of(error, "code");
    record.error_message = text_of(error, "message");
    if (record.error_code.empty())
        record.error_code = "unknown";
}

void take_usage(AnswerRecord& record, const Json& json) {
    const auto found = json.find("usage");
    if (found == json.end() || !found->is_object())
        return;
    const auto count = [&](const char* name) {
        const auto value = found->find(name);
        return value != found->end() && value->is_number_unsigned() ? value->get<std::uint32_t>()
                                                                    : 0U;
    };
    record.usage = ReportedUsage{count("prompt_tokens"), count("completion_tokens")};
}

void take_id(AnswerRecord& record, const Json& json) {
    const std::string id = text_of(json, "id");
    if (!id.starts_with(id_prefix)) {
        complain(record, "an answer without an id");
    } else if (record.request_id.empty()) {
        record.request_id = id;
    } else if (record.request_id != id) {
        complain(record, "the id changed within an answer");
    }
}

void take_choice(AnswerRecord& record, const Json& choice, const char* member, base::Instant now) {
    if (!record.finish_reason.empty())
        complain(record, "something came after the finish reason");
    const auto said = choice.find(member);
    if (said != choice.end() && said->is_object()) {
        const std::string text = text_of(*said, "content");
        if (!text.empty()) {
            record.text += text;
            record.piece_times.push_back(now);
        }
    }
    record.finish_reason += text_of(choice, "finish_reason");
}

// One chunk of a stream, or the whole answer: they differ in the name of what was said.
void take_answer(AnswerRecord& record, const Json& json, const char* member, base::Instant now) {
    take_id(record, json);
    take_usage(record, json);
    const auto choices = json.find("choices");
    if (choices == json.end() || !choices->is_array() || choices->size() > 1) {
        complain(record, "an answer without one choice");
        return;
    }
    for (const Json& choice : *choices) {
        if (choice.is_object())
            take_choice(record, choice, member, now);
    }
}

}  // namespace

AnswerOutcome outcome_of(const AnswerRecord& record) {
    if (record.abandoned)
        return AnswerOutcome::abandoned;
    if (record.error_code == "no_capacity" || record.error_code == "model_loading" ||
        record.error_code == "worker_preempted")
        return AnswerOutcome::failed_no_capacity;
    if (record.status >= 400 && record.status < 500)
        return AnswerOutcome::rejected;
    const bool whole = record.status == 200 && record.broken.empty() && record.error_code.empty() &&
                       !record.finish_reason.empty() && (record.done_seen || !record.streamed);
    return whole ? AnswerOutcome::completed : AnswerOutcome::failed;
}

std::string_view work_id_of(const AnswerRecord& record) {
    std::string_view id = record.request_id;
    if (!id.starts_with(id_prefix))
        return {};
    id.remove_prefix(id_prefix.size());
    return id;
}

base::Duration longest_pause_of(const AnswerRecord& record) {
    base::Duration longest;
    for (std::size_t i = 1; i < record.piece_times.size(); ++i)
        longest = std::max(longest, record.piece_times[i] - record.piece_times[i - 1]);
    return longest;
}

void AnswerReader::on_status(AnswerRecord& record, int status, std::string_view content_type) {
    record.status = status;
    events_ = content_type.starts_with("text/event-stream");
    if (status == 200 && events_ != record.streamed)
        complain(record, "the content type is not that of what was asked for");
}

void AnswerReader::on_body(AnswerRecord& record, std::string_view bytes, base::Instant now) {
    if (pending_.size() + bytes.size() > body_bytes_max) {
        complain(record, "the answer is longer than a client keeps");
        return;
    }
    pending_ += bytes;
    if (!events_)
        return;
    std::size_t begin = 0;
    for (;;) {
        const std::size_t end = pending_.find("\n\n", begin);
        if (end == std::string::npos)
            break;
        take_event(record, std::string_view(pending_).substr(begin, end - begin), now);
        begin = end + 2;
    }
    pending_.erase(0, begin);
}

void AnswerReader::take_event(AnswerRecord& record, std::string_view event, base::Instant now) {
    constexpr std::string_view data = "data: ";
    while (!event.empty()) {
        const std::size_t end = std::min(event.find('\n'), event.size());
        const std::string_view line = event.substr(0, end);
        event.remove_prefix(std::min(end + 1, event.size()));
        if (line.starts_with(':'))
            continue;  // a comment
        if (!line.starts_with(data)) {
            complain(record, "a line of an event that is no data");
            continue;
        }
        if (record.done_seen)
            complain(record, "something came after [DONE]");
        const std::string_view value = line.substr(data.size());
        if (value == "[DONE]") {
            record.done_seen = true;
            continue;
        }
        const Json json = Json::parse(value, nullptr, false);
        if (!json.is_object()) {
            complain(record, "an event that is no JSON object");
        } else if (json.contains("error")) {
            take_error(record, json["error"]);
        } else {
            take_answer(record, json, "delta", now);
        }
    }
}

void AnswerReader::on_end(AnswerRecord& record, std::string_view broken, base::Instant now) {
    record.broken = broken;
    record.ended_at = now;
    if (events_) {
        if (broken.empty() && !pending_.empty())
            complain(record, "the last event is not whole");
    } else if (broken.empty()) {
        const Json json = Json::parse(pending_, nullptr, false);
        if (!json.is_object()) {
            complain(record, "a body that is no JSON object");
        } else if (json.contains("error")) {
            take_error(record, json["error"]);
        } else {
            take_answer(record, json, "message", now);
        }
    }
    pending_.clear();
}

}  // namespace idlewatt::cli
