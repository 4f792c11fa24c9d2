// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/api_error.hpp"

#include <array>

#include <nlohmann/json.hpp>

#include "base/assert.hpp"
#include "wire/chat_text.hpp"

namespace idlewatt::wire {

namespace {

using Code = ApiErrorCode;
constexpr std::string_view client = "invalid_request_error";
constexpr std::string_view rate = "rate_limit_error";
constexpr std::string_view server = "server_error";
constexpr std::string_view service = "service_unavailable_error";

// In the order of ApiErrorCode.
constexpr std::array table{
    ApiErrorInfo{Code::bad_json, 400, client, "", "", Retry::no},
    ApiErrorInfo{Code::invalid_value, 400, client, "invalid_value", "", Retry::no},
    ApiErrorInfo{Code::unsupported_parameter, 400, client, "unsupported_parameter", "", Retry::no},
    ApiErrorInfo{Code::context_length_exceeded, 400, client, "context_length_exceeded", "messages",
                 Retry::no},
    ApiErrorInfo{Code::invalid_request, 400, client, "invalid_request", "", Retry::no},
    ApiErrorInfo{Code::invalid_api_key, 401, client, "invalid_api_key", "", Retry::no},
    ApiErrorInfo{Code::invalid_enrolment_token, 401, client, "invalid_enrolment_token", "token",
                 Retry::no},
    ApiErrorInfo{Code::insufficient_permissions, 403, "permission_error",
                 "insufficient_permissions", "", Retry::no},
    ApiErrorInfo{Code::data_class_refused, 403, "permission_error", "data_class_refused", "",
                 Retry::no},
    ApiErrorInfo{Code::model_not_found, 404, client, "model_not_found", "model", Retry::no},
    ApiErrorInfo{Code::not_found, 404, client, "not_found", "id", Retry::no},
    ApiErrorInfo{Code::unknown_path, 404, client, "not_found", "", Retry::no},
    ApiErrorInfo{Code::vehicle_not_found, 404, client, "vehicle_not_found", "vehicle", Retry::no},
    ApiErrorInfo{Code::method_not_allowed, 405, client, "method_not_allowed", "", Retry::no},
    ApiErrorInfo{Code::conflict, 409, client, "conflict", "", Retry::never},
    ApiErrorInfo{Code::order_refused, 409, client, "order_refused", "vehicle", Retry::never},
    ApiErrorInfo{Code::request_too_large, 413, client, "request_too_large", "file", Retry::no},
    ApiErrorInfo{Code::rate_limit_exceeded, 429, rate, "rate_limit_exceeded", "", Retry::after},
    ApiErrorInfo{Code::slow_down, 429, rate, "slow_down", "", Retry::after},
    ApiErrorInfo{Code::fleet_busy, 429, rate, "fleet_busy", "", Retry::after},
    ApiErrorInfo{Code::insufficient_quota, 429, "insufficient_quota", "insufficient_quota", "",
                 Retry::never},
    ApiErrorInfo{Code::internal_error, 500, server, "internal_error", "", Retry::yes},
    ApiErrorInfo{Code::worker_preempted, 500, server, "worker_preempted", "", Retry::yes},
    ApiErrorInfo{Code::engine_failed, 502, server, "engine_failed", "", Retry::yes},
    ApiErrorInfo{Code::no_capacity, 503, service, "no_capacity", "", Retry::after},
    ApiErrorInfo{Code::server_is_overloaded, 503, service, "server_is_overloaded", "",
                 Retry::after},
    ApiErrorInfo{Code::model_loading, 503, "unavailable_error", "model_loading", "", Retry::after},
    ApiErrorInfo{Code::vehicle_unreachable, 503, service, "vehicle_unreachable", "vehicle",
                 Retry::after},
    ApiErrorInfo{Code::store_unavailable, 503, service, "store_unavailable", "", Retry::after},
};

constexpr bool in_order() {
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (table.at(i).code != static_cast<Code>(i))
            return false;
    }
    return static_cast<std::size_t>(Code::store_unavailable) + 1 == table.size();
}
static_assert(in_order(), "the table has a row for each code, in the order of the enumeration");

base::ErrorKind kind_of(int status) {
    switch (status) {
        case 401:
        case 403:
            return base::ErrorKind::denied;
        case 404:
            return base::ErrorKind::not_found;
        case 413:
        case 429:
            return base::ErrorKind::limit_exceeded;
        default:
            return status < 500 ? base::ErrorKind::bad_input : base::ErrorKind::unavailable;
    }
}

void append_null_or_string(std::string& out, std::string_view text) {
    if (text.empty()) {
        out += "null";
    } else {
        append_json_string(out, text);
    }
}

// What an engine's JSON library says to its programmers.
bool is_internal(std::string_view words) {
    return words.find("json.exception") != std::string_view::npos;
}

constexpr std::size_t error_body_bytes_max = 64 * 1024;

std::string text_of(const nlohmann::json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::span<const ApiErrorInfo> api_error_table() {
    return table;
}

const ApiErrorInfo& info(ApiErrorCode code) {
    const auto row = static_cast<std::size_t>(code);
    IDLEWATT_ASSERT(row < table.size());
    return table.at(row);
}

ApiError api_error(ApiErrorCode code, std::string message, std::string param) {
    const ApiErrorInfo& row = info(code);
    ApiError error;
    error.kind = kind_of(row.status);
    error.message = std::move(message);
    error.code = code;
    error.param = param.empty() ? std::string(row.param) : std::move(param);
    return error;
}

ApiError api_error(const core::Rejected& rejected) {
    const std::string& words = rejected.message;
    const bool too_long = words.find("context size") != std::string::npos ||
                          words.find("context length") != std::string::npos ||
                          words.find("context window") != std::string::npos;
    ApiError error = api_error(too_long ? Code::context_length_exceeded : Code::invalid_request,
                               words.empty() ? "The engine refused the request." : words);
    if (is_internal(words)) {
        error.message =
            "A field of the request has a type that the engine does not take. Leave out what "
            "OpenAI "
            "does not document.";
    }
    const auto status = static_cast<int>(rejected.http_status);
    // Others would make a client believe that its key or its pace is wrong.
    if (!too_long && (status == 413 || status == 422))
        error.status = status;
    return error;
}

std::string error_body(const ApiError& error) {
    const ApiErrorInfo& row = info(error.code);
    std::string out = R"({"error":{"message":)";
    append_json_string(out, error.message);
    out += R"(,"type":)";
    append_json_string(out, row.type);
    out += R"(,"param":)";
    append_null_or_string(out, error.param);
    out += R"(,"code":)";
    append_null_or_string(out, row.name);
    out += "}}";
    return out;
}

std::string error_event(const ApiError& error) {
    return "data: " + error_body(error) + "\n\n";
}

base::Result<ReadError> parse_error_body(std::string_view body) {
    const auto document = body.size() <= error_body_bytes_max
                              ? nlohmann::json::parse(body, nullptr, false)
                              : nlohmann::json();
    if (document.is_object()) {
        const auto error = document.find("error");
        if (error != document.end() && error->is_object()) {
            return ReadError{text_of(*error, "message"), text_of(*error, "type"),
                             text_of(*error, "param"), text_of(*error, "code")};
        }
    }
    return base::fail(base::ErrorKind::not_found,
                      "the answer holds no error object: is this an idlewatt server?");
}

}  // namespace idlewatt::wire
