// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/refusal.hpp"

namespace idlewatt::http {

namespace {

std::string refusal_text(int status) {
    const auto mib = [](std::size_t bytes) { return std::to_string(bytes / (1024 * 1024)); };
    const auto kib = [](std::size_t bytes) { return std::to_string(bytes / 1024); };
    switch (status) {
        case 400:
            return "This is not a well-formed HTTP/1.1 request.";
        case 408:
            return "The request did not arrive within " +
                   std::to_string(read_timeout.whole_milliseconds() / 1000) +
                   " s, or an upload came with less than " + kib(body_pace_bytes) +
                   " KiB in that time.";
        case 413:
            return "The request body is larger than is allowed here (" + mib(body_bytes_max) +
                   " MiB, unless the path says otherwise). Send a smaller one.";
        case 414:
            return "The request target is longer than " + kib(target_bytes_max) + " KiB.";
        case 417:
            return "The only expectation understood is 100-continue.";
        case 431:
            return "The request head is larger than " + kib(header_bytes_max) + " KiB.";
        case 501:
            return "The only transfer coding understood is chunked.";
        case 503:
            return "Too many requests are open at this server. Try again shortly.";
        default:
            return std::string(reason_phrase(status));
    }
}

struct Code {
    std::string_view type;
    std::string_view code;  // empty: null
};

Code code_of(int status) {
    switch (status) {
        case 408:
            return {"invalid_request_error", "request_timeout"};
        case 413:
            return {"invalid_request_error", "request_too_large"};
        case 503:
            return {"service_unavailable_error", "server_is_overloaded"};
        default:
            return {"invalid_request_error", {}};
    }
}

}  // namespace

std::string_view reason_phrase(int status) {
    switch (status) {
        case 100:
            return "Continue";
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 206:
            return "Partial Content";
        case 301:
            return "Moved Permanently";
        case 302:
            return "Found";
        case 304:
            return "Not Modified";
        case 307:
            return "Temporary Redirect";
        case 308:
            return "Permanent Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 416:
            return "Range Not Satisfiable";
        case 417:
            return "Expectation Failed";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        default:
            return "Status";
    }
}

// All four keys are there, as clients want it. No text needs escaping.
Response refusal(int status, const std::string& request_id, bool upload) {
    const Code code = code_of(status);
    Response response;
    response.status = status;
    response.headers.emplace("content-type", "application/json");
    response.headers.emplace("x-request-id", request_id);
    if (status == 503) {
        response.headers.emplace("retry-after", "1");
    }
    response.body = "{\"error\":{\"message\":\"" + refusal_text(status) + "\",\"type\":\"";
    response.body += std::string(code.type) + "\",\"param\":";
    response.body += status == 413 && upload ? "\"file\"" : "null";
    response.body += ",\"code\":";
    response.body += code.code.empty() ? "null" : '"' + std::string(code.code) + '"';
    response.body += "}}";
    return response;
}

std::string request_id(base::Prng& prng) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string id = "req_";
    for (int i = 0; i < 24; ++i) {
        id += digits[prng.below(digits.size())];
    }
    return id;
}

int refused_for_size(const Request& request, std::uint64_t body_bytes_allowed) {
    if (request.target.size() > target_bytes_max) {
        return 414;
    }
    std::size_t head_bytes = request.method.size() + request.target.size() + 12;
    for (const auto& [name, value] : request.headers) {
        head_bytes += name.size() + value.size() + 4;
    }
    if (head_bytes > header_bytes_max) {
        return 431;
    }
    return request.body.size() > body_bytes_allowed ? 413 : 0;
}

}  // namespace idlewatt::http
