// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Who sent a request, and the headers that every response to it carries. Values, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "core/api_key.hpp"
#include "http/http.hpp"
#include "scheduler/rate_limit.hpp"

namespace idlewatt::gateway {

inline constexpr std::size_t client_request_id_bytes_max = 512;
inline constexpr std::string_view data_class_header = "x-idlewatt-data-class";

struct Caller {
    std::string request_id;
    std::string client_request_id;  // as sent, if it may be repeated; else empty
    std::string origin;             // of the allow-list; empty: not from there
    base::Instant arrived_at;
    core::ApiKey key;  // meaningful once it is known
    core::DataClass data_class = core::DataClass::any_car;
    bool is_batch = false;   // a line of a batch
    bool generates = false;  // it asks for work: the answer names the data class
    std::optional<scheduler::Quota> requests_left;  // of its key; absent: no limit
    std::optional<scheduler::Quota> tokens_left;
};

// The entry of the list that the request's Origin equals, or "*" if the list has that; empty: none.
// Never what was sent.
[[nodiscard]] std::string allowed_origin(const http::Request& request,
                                         const std::vector<std::string>& allowed);
// Empty if the request has none, or one that must not be repeated.
[[nodiscard]] std::string repeatable_client_id(const http::Request& request);
// What a browser asks before it asks.
[[nodiscard]] http::Response preflight(const Caller& caller);

void add_headers(const Caller& caller, base::Instant now, http::Response& response);

}  // namespace idlewatt::gateway
