// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/server_events.hpp"

#include "engine/engine_json.hpp"

namespace idlewatt::engine {

namespace {

constexpr std::size_t error_text_bytes_max = 400;
constexpr std::size_t pending_bytes_kept = 64 * 1024;

EngineError read_error(const Json& error) {
    EngineError result;
    result.status = count_of(member(error, "code"));
    result.message = text_of(member(error, "message"));
    if (result.status < 400 || result.status > 599)
        result.status = 500;
    if (result.message.empty())
        result.message = "the engine reported an error without a message";
    return result;
}

}  // namespace

base::Result<std::optional<ServerEvent>> ServerEvents::next() {
    for (;;) {
        const std::string_view rest = std::string_view(pending_).substr(begin_);
        const std::size_t end = rest.find("\n\n");
        if (end == std::string_view::npos) {
            if (rest.size() > event_bytes_max) {
                return base::fail(base::ErrorKind::limit_exceeded,
                                  "the engine sent an event longer than 8 MiB");
            }
            if (begin_ == pending_.size() || begin_ > pending_bytes_kept) {
                pending_.erase(0, begin_);
                begin_ = 0;
            }
            return std::nullopt;
        }
        begin_ += end + 2;
        std::string_view line = rest.substr(0, end);
        const bool is_error = line.starts_with("error:");
        if (is_error) {
            line.remove_prefix(6);
        } else if (line.starts_with("data:")) {
            line.remove_prefix(5);
        } else {
            continue;  // a comment that keeps the connection alive
        }
        if (line == " null" || line == " [DONE]")
            continue;  // the response has begun; it is over
        return ServerEvent{is_error, line};
    }
}

std::optional<EngineError> event_error(const ServerEvent& event) {
    // Cheap for the many events that are none.
    if (!event.is_error && event.json.find("\"error\"") == std::string_view::npos)
        return std::nullopt;
    const Json json = Json::parse(event.json, nullptr, false);
    if (json.is_object() && json.contains("error"))
        return read_error(json["error"]);
    if (event.is_error)
        return read_error(json);
    return std::nullopt;
}

std::string error_message(std::string_view response_json) {
    const Json json = Json::parse(response_json, nullptr, false);
    if (json.is_object() && json.contains("error"))
        return read_error(json["error"]).message;
    return std::string(response_json.substr(0, error_text_bytes_max));
}

}  // namespace idlewatt::engine
