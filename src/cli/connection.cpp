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
    std::string param;
    std::string request_id;
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
        if (error.contains("param") && error["param"].is_string())
            refusal.param = error["param"];
    }
    if (refusal.message.empty())
        refusal.message = "it answered with status " + std::to_string(response.status) + ".";
    if (const auto id = response.headers.find("x-request-id"); id != response.headers.end())
        refusal.request_id = id->second;
    return refusal;
}

void print_error_object(std::string_view code, std::string_view message, std::ostream& err) {
    const Json object = {{"error", {{"code", code}, {"message", message}}}};
    err << object.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

// The code to end with and what the caller can do.
std::pair<ExitCode, std::string> meaning_of(Party party, int status, const Refusal& refusal) {
    const std::string who(name(party));
    const std::string& code = refusal.code;
    if (code == "insufficient_permissions") {
        return {ExitCode::denied,
                "The " + who +
                    " knows this key; its role does not allow this. An operator makes a key of "
                    "another role: idlewatt key create --role ROLE"};
    }
    if (code == "data_class_refused")
        return {ExitCode::denied, ""};
    if (status == 401 || status == 403) {
        return {ExitCode::denied, "Set IDLEWATT_API_KEY to a key that the " + who +
                                      " knows (demo and up say theirs when they start)."};
    }
    if (code == "vehicle_not_found")
        return {ExitCode::not_found, "`idlewatt vehicle ls` shows the cars there are."};
    if (code == "model_not_found")
        return {ExitCode::not_found, "`idlewatt model ls` shows the models there are."};
    // An object that is not there, rather than a path.
    const bool object = refusal.param == "id" || (code != "not_found" && code != "unknown_url");
    if (status == 404 && !code.empty() && object)
        return {ExitCode::not_found, ""};
    if (status == 404) {
        return {ExitCode::not_found,
                std::string("Check ") +
                    (party == Party::gateway ? "IDLEWATT_URL" : "IDLEWATT_COORDINATOR_URL") +
                    ": is an Idlewatt " + who + " there, and is it of this version?"};
    }
    if (code == "vehicle_unreachable")
        return {ExitCode::failure, "`idlewatt vehicle why` tells when it was last heard."};
    // It does not come back by itself; its message says what to delete.
    if (code == "insufficient_quota")
        return {ExitCode::no_capacity, ""};
    if (status == 429 || status == 503)
        return {ExitCode::no_capacity, "Try again later."};
    return {ExitCode::failure, status >= 500 ? "The " + who + "'s log says more." : ""};
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

std::string_view name(Party party) {
    return party == Party::gateway ? "gateway" : "coordinator";
}

base::Result<Connection> connection_from(const config::Settings& settings, Party party) {
    const std::string_view key = party == Party::gateway ? "client.url" : "client.coordinator_url";
    Connection connection;
    connection.party = party;
    connection.url = settings.text(key);
    if (!connection.url.starts_with("http://") && !connection.url.starts_with("https://")) {
        const std::string& where = settings.value(key).where;
        return base::fail(base::ErrorKind::bad_input, where + " is '" + connection.url +
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
    auto secret = settings.secret("client.api_key_file");
    if (!secret)
        return tl::unexpected(secret.error());
    connection.api_key = secret->value_or("");
    connection.ca_file = settings.text("client.ca_file");
    return connection;
}

base::Result<Connection> connection_from(const Environment& environment) {
    config::Sources sources;
    sources.environment = environment;
    const auto settings = config::load(sources);
    if (!settings)
        return tl::unexpected(settings.error());
    return connection_from(*settings, Party::gateway);
}

http::Headers request_headers(const Connection& connection) {
    http::Headers headers{{"accept", "application/json"}};
    if (!connection.api_key.empty())
        headers["authorization"] = "Bearer " + connection.api_key;
    return headers;
}

http::Call call_to(const Connection& connection, const std::string& method,
                   const std::string& path) {
    http::Call call;
    call.url = connection.url + path;
    call.method = method;
    call.headers = request_headers(connection);
    call.ca_file = connection.ca_file;
    call.silence_timeout = answer_time_max;
    return call;
}

base::Error not_reached(const Connection& connection, const base::Error& why) {
    const bool gateway = connection.party == Party::gateway;
    return {why.kind, "no answer from the " + std::string(name(connection.party)) + " at " +
                          connection.url + ": " + why.message + "\nStart one (idlewatt up" +
                          (gateway ? " or demo" : "") + "), or set " +
                          (gateway ? "IDLEWATT_URL" : "IDLEWATT_COORDINATOR_URL") +
                          " to where it is."};
}

base::Result<http::Response> ask(const Connection& connection, const std::string& method,
                                 const std::string& path, std::string body) {
    http::Call call = call_to(connection, method, path);
    if (!body.empty())
        call.headers["content-type"] = "application/json";
    call.body = std::move(body);
    base::AsioLoop loop;
    auto response = http::call_and_wait(loop, std::move(call));
    if (!response)
        return tl::unexpected(not_reached(connection, response.error()));
    return response;
}

std::string refusal_text(const http::Response& response) {
    return refusal_in(response).message;
}

std::string step_after(const Connection& connection, const http::Response& response) {
    return meaning_of(connection.party, response.status, refusal_in(response)).second;
}

ExitCode report_refusal(const Connection& connection, const http::Response& response, bool json,
                        std::ostream& err) {
    const Refusal refusal = refusal_in(response);
    const auto [exit_code, next] = meaning_of(connection.party, response.status, refusal);
    if (json) {
        print_error_object(refusal.code, refusal.message, err);
        return exit_code;
    }
    err << "idlewatt: the " << name(connection.party) << " refused: " << refusal.message << '\n';
    if (!next.empty())
        err << next << '\n';
    if (!refusal.request_id.empty())
        err << "request id: " << refusal.request_id << '\n';
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
