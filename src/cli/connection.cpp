// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/connection.hpp"

#include <cstdlib>
#include <ostream>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/asio_loop.hpp"
#include "http/client.hpp"

namespace idlewatt::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr base::Duration answer_time_max = base::seconds(30);

struct Refusal {
    std::string code;
    std::string message;
};

Refusal refusal_in(const http::Response& response) {
    const Json json = Json::parse(response.body, nullptr, false);
    Refusal refusal;
    if (json.is_object() && json.contains("error") && json["error"].is_object()) {
        const Json& error = json["error"];
        if (error.contains("code") && error["code"].is_string())
            refusal.code = error["code"];
        if (error.contains("message") && error["message"].is_string())
            refusal.message = error["message"];
    }
    if (refusal.message.empty())
        refusal.message = "it answered with status " + std::to_string(response.status) + ".";
    return refusal;
}

void print_error_object(std::string_view code, std::string_view message, std::ostream& err) {
    const Json object = {{"error", {{"code", code}, {"message", message}}}};
    err << object.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

// The code to end with and what the caller can do.
std::pair<ExitCode, std::string_view> meaning_of(int status, std::string_view code) {
    if (status == 401 || status == 403) {
        return {ExitCode::denied,
                "Set IDLEWATT_API_KEY to the gateway's key (the demo prints it when it starts)."};
    }
    if (status == 404) {
        return {ExitCode::not_found, code == "vehicle_not_found"
                                         ? "`idlewatt vehicle ls` shows the cars there are."
                                         : "Check IDLEWATT_URL: is an Idlewatt gateway there, and "
                                           "is it of this version?"};
    }
    if (code == "vehicle_unreachable")
        return {ExitCode::failure, "`idlewatt vehicle why` tells when it was last heard."};
    if (status == 429 || status == 503)
        return {ExitCode::no_capacity, "Try again later."};
    return {ExitCode::failure, status >= 500 ? "The gateway's log says more." : ""};
}

}  // namespace

Environment process_environment() {
    return [](std::string_view name) -> std::optional<std::string> {
        const char* value = std::getenv(std::string(name).c_str());
        if (value == nullptr)
            return std::nullopt;
        return value;
    };
}

base::Result<Connection> connection_from(const Environment& environment) {
    Connection connection;
    connection.url = environment("IDLEWATT_URL").value_or("");
    if (connection.url.empty())
        connection.url = default_url;
    if (!connection.url.starts_with("http://")) {
        return base::fail(base::ErrorKind::bad_input, "IDLEWATT_URL is '" + connection.url +
                                                          "'; expected http://host:port, as in " +
                                                          std::string(default_url));
    }
    const auto take_off = [&](std::string_view end) {
        const bool there = connection.url.ends_with(end);
        if (there)
            connection.url.resize(connection.url.size() - end.size());
        return there;
    };
    while (take_off("/") || take_off("/v1")) {
    }
    connection.api_key = environment("IDLEWATT_API_KEY").value_or("");
    if (connection.api_key.find_first_of("\r\n") != std::string::npos) {
        return base::fail(base::ErrorKind::bad_input,
                          "IDLEWATT_API_KEY holds a line break; set it to the key alone");
    }
    return connection;
}

http::Headers request_headers(const Connection& connection) {
    http::Headers headers{{"accept", "application/json"}};
    if (!connection.api_key.empty())
        headers["authorization"] = "Bearer " + connection.api_key;
    return headers;
}

base::Result<http::Response> ask(const Connection& connection, const std::string& method,
                                 const std::string& path, std::string body) {
    http::Call call;
    call.url = connection.url + path;
    call.method = method;
    call.headers = request_headers(connection);
    if (!body.empty())
        call.headers["content-type"] = "application/json";
    call.body = std::move(body);
    call.silence_timeout = answer_time_max;
    base::AsioLoop loop;
    auto response = http::call_and_wait(loop, std::move(call));
    if (!response) {
        return base::fail(response.error().kind,
                          "no answer from the gateway at " + connection.url + ": " +
                              response.error().message +
                              "\nStart one (idlewatt demo), or set IDLEWATT_URL to where it is.");
    }
    return response;
}

ExitCode report_refusal(const http::Response& response, bool json, std::ostream& err) {
    const Refusal refusal = refusal_in(response);
    const auto [exit_code, next] = meaning_of(response.status, refusal.code);
    if (json) {
        print_error_object(refusal.code, refusal.message, err);
        return exit_code;
    }
    err << "idlewatt: the gateway refused: " << refusal.message << '\n';
    if (!next.empty())
        err << next << '\n';
    return exit_code;
}

ExitCode report_error(const base::Error& error, bool json, std::ostream& err) {
    if (json) {
        print_error_object(base::name(error.kind), error.message, err);
    } else {
        err << "idlewatt: " << error.message << '\n';
    }
    switch (error.kind) {
        case base::ErrorKind::bad_input:
            return ExitCode::usage;
        case base::ErrorKind::not_found:
            return ExitCode::not_found;
        case base::ErrorKind::denied:
            return ExitCode::denied;
        case base::ErrorKind::unavailable:
        case base::ErrorKind::limit_exceeded:
        case base::ErrorKind::io:
            return ExitCode::failure;
    }
    return ExitCode::failure;
}

}  // namespace idlewatt::cli
