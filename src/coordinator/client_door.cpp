// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/client_door.hpp"

#include <utility>

#include "base/log.hpp"
#include "core/id.hpp"

namespace idlewatt::coordinator {

http::Headers ClientDoor::headers(http::Headers headers) {
    headers.try_emplace("content-type", "application/json");
    headers["x-request-id"] = fresh_id("req_");
    return headers;
}

void ClientDoor::respond(http::RequestId request, int status, std::string body) {
    server_.respond(request, {status, headers(), std::move(body)});
    if (answered_)
        answered_(request);
}

void ClientDoor::refuse(http::RequestId request, const wire::ApiError& error) {
    http::Headers told = headers();
    switch (wire::info(error.code).retry) {
        case wire::Retry::never:
            told["x-should-retry"] = "false";
            break;
        case wire::Retry::after:
            told["retry-after"] = "1";
            break;
        case wire::Retry::no:
        case wire::Retry::yes:
            break;
    }
    server_.respond(request, {error.http_status(), std::move(told), wire::error_body(error)});
    if (answered_)
        answered_(request);
}

void ClientDoor::refuse(http::RequestId request, wire::ApiErrorCode code, std::string message,
                        std::string param) {
    refuse(request, wire::api_error(code, std::move(message), std::move(param)));
}

void ClientDoor::refuse_later(http::RequestId request, const base::Error& error) {
    base::log_warning("coordinator", error.message);
    refuse(request, wire::ApiErrorCode::store_unavailable,
           "The coordinator's database or disk does not take this now. Try again soon.");
}

std::string ClientDoor::fresh_id(const char* prefix) {
    return prefix + core::make_time_ordered_id(loop_.wall_now(), prng_);
}

}  // namespace idlewatt::coordinator
