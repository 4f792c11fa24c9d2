// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/chat_session.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ostream>
#include <utility>

#include <boost/asio/signal_set.hpp>
#include <nlohmann/json.hpp>

#include "base/asio_loop.hpp"

namespace idlewatt::cli {

using Json = nlohmann::ordered_json;

struct ChatSession::Answer {
    int status = 0;
    std::string refusal;  // the body of an answer that is no stream
    http::Headers headers;
    EventLines lines;
    std::string text;
    std::string finish_reason;
    std::string error_code;
    std::string error_message;
    std::uint64_t prompt_tokens = 0;
    std::uint64_t completion_tokens = 0;
    bool done = false;  // [DONE] was seen
    bool thinking = false;
    bool interrupted = false;
    std::optional<base::Result<void>> ended;
    base::Instant asked_at;
    base::Instant first_at;
    base::Instant last_at;
};

std::vector<std::string> EventLines::feed(std::string_view bytes) {
    std::vector<std::string> events;
    for (const char c : bytes) {
        if (c != '\n') {
            if (line_.size() < chat_answer_bytes_max)
                line_ += c;
            continue;
        }
        if (line_.ends_with('\r'))
            line_.pop_back();
        if (line_.empty()) {
            if (!data_.empty())
                events.push_back(std::exchange(data_, {}));
        } else if (line_.starts_with("data:")) {
            const std::size_t begin = line_.starts_with("data: ") ? 6 : 5;
            data_ += (data_.empty() ? "" : "\n") + line_.substr(begin);
        }
        line_.clear();
    }
    return events;
}

ChatSession::ChatSession(Connection connection, ChatOptions options, const Output& output)
    : connection_(std::move(connection)), options_(std::move(options)), output_(output) {
    forget();
}

void ChatSession::forget() {
    messages_.clear();
    if (!options_.system.empty())
        messages_.push_back({"system", options_.system});
}

std::string ChatSession::request_body() const {
    Json body;
    body["model"] = options_.model;
    body["messages"] = Json::array();
    for (const Message& message : messages_)
        body["messages"].push_back({{"role", message.role}, {"content", message.content}});
    if (options_.max_tokens)
        body["max_tokens"] = *options_.max_tokens;
    if (options_.temperature)
        body["temperature"] = *options_.temperature;
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
    return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void ChatSession::take_event(const std::string& data, Answer& answer) {
    if (data == "[DONE]") {
        answer.done = true;
        return;
    }
    const Json event = Json::parse(data, nullptr, false);
    if (!event.is_object())
        return;
    const auto text_in = [](const Json& object, const char* name) {
        return object.is_object() && object.contains(name) && object[name].is_string()
                   ? object[name].get<std::string>()
                   : std::string();
    };
    if (event.contains("error")) {
        answer.error_code = text_in(event["error"], "code");
        answer.error_message = text_in(event["error"], "message");
        return;
    }
    if (event.contains("usage") && event["usage"].is_object()) {
        const auto count = [&](const char* name) {
            const Json& usage = event["usage"];
            return usage.contains(name) && usage[name].is_number_unsigned()
                       ? usage[name].get<std::uint64_t>()
                       : 0;
        };
        answer.prompt_tokens = count("prompt_tokens");
        answer.completion_tokens = count("completion_tokens");
    }
    if (!event.contains("choices") || !event["choices"].is_array() || event["choices"].empty())
        return;
    const Json& choice = event["choices"][0];
    if (const std::string finish = text_in(choice, "finish_reason"); !finish.empty())
        answer.finish_reason = finish;
    if (!choice.is_object() || !choice.contains("delta"))
        return;
    const std::string thought = text_in(choice["delta"], "reasoning_content");
    if (!thought.empty() && options_.shows_reasoning) {
        output_.err << thought << std::flush;
        answer.thinking = true;
    }
    const std::string text = text_in(choice["delta"], "content");
    if (text.empty())
        return;
    if (std::exchange(answer.thinking, false))
        output_.err << "\n\n";
    answer.text += text;
    output_.out << text << std::flush;
}

ChatEnd ChatSession::ask(const std::string& prompt) {
    messages_.push_back({"user", prompt});
    Answer answer;
    base::AsioLoop loop;
    boost::asio::signal_set signals(loop.context(), SIGINT);
    signals.async_wait([&](const boost::system::error_code& error, int) {
        if (error)
            return;
        answer.interrupted = true;
        loop.stop();
    });
    http::Call call = call_to(connection_, "POST", "/v1/chat/completions");
    call.headers["content-type"] = "application/json";
    call.headers["accept"] = "text/event-stream";
    call.body = request_body();
    call.silence_timeout = chat_silence_max;
    http::CallHandler handler;
    handler.on_head = [&](int status, const http::Headers& headers) {
        answer.status = status;
        answer.headers = headers;
    };
    handler.on_body = [&](std::string_view bytes) {
        if (answer.first_at == base::Instant{})
            answer.first_at = loop.now();
        answer.last_at = loop.now();
        if (answer.status != 200) {
            answer.refusal.append(bytes.substr(0, chat_answer_bytes_max - answer.refusal.size()));
            return;
        }
        for (const std::string& data : answer.lines.feed(bytes))
            take_event(data, answer);
        if (answer.text.size() > chat_answer_bytes_max)
            loop.stop();
    };
    handler.on_end = [&](base::Result<void> end) {
        answer.ended = std::move(end);
        loop.stop();
    };
    answer.asked_at = loop.now();
    const auto exchange = http::call(loop, std::move(call), std::move(handler));
    loop.run();
    return conclude(answer);
}

ChatEnd ChatSession::conclude(const Answer& answer) {
    if (!answer.text.empty() && !answer.text.ends_with('\n'))
        output_.out << std::endl;
    if (!answer.text.empty())
        messages_.push_back({"assistant", answer.text});
    else
        messages_.pop_back();
    ChatEnd end{ExitCode::ok, answer.interrupted, answer.finish_reason};
    if (answer.interrupted)
        return end;
    if (answer.status != 0 && answer.status != 200) {
        end.code = report_refusal(connection_, {answer.status, answer.headers, answer.refusal},
                                  output_.json, output_.err);
    } else if (!answer.error_message.empty() || !answer.error_code.empty()) {
        output_.err << "idlewatt: the answer broke off: " << answer.error_message << '\n';
        const bool later = answer.error_code == "worker_preempted" ||
                           answer.error_code == "no_capacity" ||
                           answer.error_code == "model_loading";
        end.code = later ? ExitCode::no_capacity : ExitCode::failure;
    } else if (!answer.done) {
        const base::Error why =
            answer.ended && !*answer.ended
                ? answer.ended->error()
                : base::Error{base::ErrorKind::unavailable, "the answer ended without [DONE]"};
        end.code = report_error(not_reached(connection_, why), output_.json, output_.err);
    } else if (options_.verbose) {
        say_how_quick(answer);
    }
    return end;
}

void ChatSession::say_how_quick(const Answer& answer) const {
    const double whole_s = (answer.last_at - answer.asked_at).seconds();
    const double rest_s = (answer.last_at - answer.first_at).seconds();
    const auto tokens = static_cast<double>(answer.completion_tokens);
    char text[200];
    std::snprintf(text, sizeof text,
                  "%llu prompt tokens, %llu tokens in %.2f s; first after %.0f ms; %.1f tokens/s",
                  static_cast<unsigned long long>(answer.prompt_tokens),
                  static_cast<unsigned long long>(answer.completion_tokens), whole_s,
                  (answer.first_at - answer.asked_at).milliseconds(),
                  rest_s > 0 && tokens > 1 ? (tokens - 1) / rest_s : 0.0);
    output_.err << text << " (" << answer.finish_reason << ")\n";
}

}  // namespace idlewatt::cli
