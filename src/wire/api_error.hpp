// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Errors of every HTTP interface, in OpenAI's form: one closed list that says for each its status,
// its names and whether asking again helps. All four keys of the error object are always there.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "core/stream.hpp"

namespace idlewatt::wire {

enum class ApiErrorCode {
    bad_json,       // not JSON, not UTF-8: code null
    invalid_value,  // a field of a wrong type or range
    unsupported_parameter,
    context_length_exceeded,
    invalid_request,  // the engine refused it; says so with a status of its own
    invalid_api_key,
    invalid_enrolment_token,
    insufficient_permissions,
    data_class_refused,  // the key's or the request's data class allows no car
    model_not_found,
    not_found,     // an object with an id
    unknown_path,  // code not_found, param null
    vehicle_not_found,
    method_not_allowed,
    conflict,       // it exists already, or it is in use
    order_refused,  // by the car
    request_too_large,
    rate_limit_exceeded,
    slow_down,
    fleet_busy,  // the queue is full
    insufficient_quota,
    internal_error,
    worker_preempted,
    engine_failed,  // several cars in a row made nothing of it
    no_capacity,
    server_is_overloaded,
    model_loading,
    vehicle_unreachable,
    store_unavailable,
};

// What the answer's headers tell a client that would ask again.
enum class Retry {
    no,     // the status says it already: 4xx other than 408, 409, 429
    yes,    // nothing to add
    after,  // retry-after: the sender says how long
    never,  // x-should-retry: false, because clients repeat this status otherwise
};

struct ApiErrorInfo {
    ApiErrorCode code;
    int status;
    std::string_view type;
    std::string_view name;   // empty: null
    std::string_view param;  // unless a better one is known; empty: null
    Retry retry;
};
[[nodiscard]] std::span<const ApiErrorInfo> api_error_table();
[[nodiscard]] const ApiErrorInfo& info(ApiErrorCode code);

struct ApiError : base::Error {
    ApiErrorCode code = ApiErrorCode::internal_error;
    std::string param;          // as in messages[2].content; empty: null
    std::optional<int> status;  // instead of the table's
    [[nodiscard]] int http_status() const { return status.value_or(info(code).status); }
};
// Without param: the table's.
[[nodiscard]] ApiError api_error(ApiErrorCode code, std::string message, std::string param = {});
// An engine's 4xx: the client's own mistake. Knows a prompt that is too long by its words.
[[nodiscard]] ApiError api_error(const core::Rejected& rejected);

[[nodiscard]] std::string error_body(const ApiError& error);
// In the middle of a stream; nothing follows, not even [DONE].
[[nodiscard]] std::string error_event(const ApiError& error);

// What a client of ours read out of an error's body; not_found when it is none of that form.
struct ReadError {
    std::string message;
    std::string type;
    std::string param;  // null and absent: empty
    std::string code;
};
[[nodiscard]] base::Result<ReadError> parse_error_body(std::string_view body);

}  // namespace idlewatt::wire
