// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/caller.hpp"

#include <algorithm>

namespace idlewatt::gateway {

namespace {

constexpr std::string_view exposed_headers =
    "x-request-id, retry-after, retry-after-ms, x-should-retry, openai-processing-ms, "
    "x-idlewatt-data-class, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens";

bool is_visible(char c) {
    return c > 0x20 && c < 0x7F;
}

// As OpenAI writes it: "1.5s", "120ms".
std::string span_text(base::Duration span) {
    const std::int64_t ms = std::max<std::int64_t>(span.whole_milliseconds(), 0);
    if (ms < 1000)
        return std::to_string(ms) + "ms";
    std::string text = std::to_string(ms / 1000);
    if (ms % 1000 >= 100)
        text += "." + std::to_string(ms % 1000 / 100);
    return text + "s";
}

void add_limit(const std::optional<scheduler::Quota>& limit, const std::string& of,
               http::Headers& headers) {
    if (!limit)
        return;
    headers["x-ratelimit-limit-" + of] = std::to_string(limit->limit);
    headers["x-ratelimit-remaining-" + of] = std::to_string(limit->remaining);
    headers["x-ratelimit-reset-" + of] = span_text(limit->reset);
}

}  // namespace

std::string allowed_origin(const http::Request& request, const std::vector<std::string>& allowed) {
    const auto header = request.headers.find("origin");
    if (header == request.headers.end())
        return {};
    if (std::ranges::find(allowed, "*") != allowed.end())
        return "*";
    const auto found = std::ranges::find(allowed, header->second);
    return found == allowed.end() ? std::string() : *found;
}

std::string repeatable_client_id(const http::Request& request) {
    const auto header = request.headers.find("x-client-request-id");
    if (header == request.headers.end() || header->second.size() > client_request_id_bytes_max ||
        !std::ranges::all_of(header->second, is_visible)) {
        return {};
    }
    return header->second;
}

http::Response preflight(const Caller& caller) {
    http::Response response{204, {}, {}};
    if (caller.origin.empty())
        return response;  // without permission the browser keeps its page from asking
    response.headers["access-control-allow-methods"] = "GET, POST, DELETE, OPTIONS";
    response.headers["access-control-allow-headers"] =
        "authorization, content-type, x-client-request-id, x-idlewatt-data-class, "
        "x-stainless-arch, x-stainless-lang, x-stainless-os, x-stainless-package-version, "
        "x-stainless-retry-count, x-stainless-runtime, x-stainless-runtime-version, "
        "x-stainless-timeout, x-stainless-helper-method";
    response.headers["access-control-max-age"] = "600";
    return response;
}

void add_headers(const Caller& caller, base::Instant now, http::Response& response) {
    http::Headers& headers = response.headers;
    headers["x-request-id"] = caller.request_id;
    headers["openai-processing-ms"] =
        std::to_string((now - caller.arrived_at).whole_milliseconds());
    if (!caller.client_request_id.empty())
        headers["x-client-request-id"] = caller.client_request_id;
    if (!caller.origin.empty()) {
        headers["access-control-allow-origin"] = caller.origin;
        headers["access-control-expose-headers"] = exposed_headers;
        headers["vary"] = "origin";
    }
    if (caller.generates)
        headers[std::string(data_class_header)] = core::name(caller.data_class);
    add_limit(caller.requests_left, "requests", headers);
    add_limit(caller.tokens_left, "tokens", headers);
}

}  // namespace idlewatt::gateway
