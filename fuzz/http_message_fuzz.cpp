// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Messages as they come from a socket, cut anywhere: a request within its limits, or a refusal with
// an error object; a whole one is the same however the bytes are cut. Answers of a server that is
// none, too.
#include <array>

#include <nlohmann/json.hpp>

#include "fuzz.hpp"
#include "http/file_answer.hpp"
#include "http/refusal.hpp"
#include "request_parsing.hpp"

namespace idlewatt::fuzz {

namespace {

constexpr std::array refusals{400, 413, 414, 417, 431, 501, 505};

void check_refusal(int status) {
    require(std::ranges::find(refusals, status) != refusals.end(),
            "a status for this: " + std::to_string(status));
    const auto body = nlohmann::json::parse(http::refusal(status, "req_1").body);
    require(body.at("error").size() == 4, "an error object");
}

bool is_lower(std::string_view name) {
    return std::ranges::none_of(name, [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool check_request(std::string_view bytes) {
    const ParsedRequest whole = parse_request(bytes, std::max<std::size_t>(bytes.size(), 1));
    const ParsedRequest cut = parse_request(bytes, 7);
    // What is broken in the middle may look as if more were to come, when it came in parts.
    require(whole.done == cut.done, "the cuts do not matter");
    require(!whole.done || (whole.request.body == cut.request.body &&
                            whole.request.method == cut.request.method &&
                            whole.request.target == cut.request.target &&
                            whole.request.headers == cut.request.headers),
            "the same request");
    for (const int refused : {whole.refused, cut.refused}) {
        if (refused != 0)
            check_refusal(refused);
    }
    require(whole.request.target.size() <= http::target_bytes_max, "the target is bounded");
    std::size_t head_bytes = 0;
    for (const auto& [name, value] : whole.request.headers) {
        head_bytes += name.size() + value.size();
        require(is_lower(name) && value.find('\n') == value.npos, "names in lower case, one line");
        if (name == "range" || name == "content-range")
            static_cast<void>(http::read_content_range(value));
    }
    require(head_bytes <= http::header_bytes_max, "the head is bounded");
    return whole.done;
}

bool check_response(std::string_view bytes) {
    http::ResponseParser parser(false);
    std::size_t taken = 0;
    std::size_t body_bytes = 0;
    bool broken = false;
    while (taken < bytes.size() && !broken && !parser.done()) {
        const auto progress = parser.feed(bytes.substr(taken));
        require(progress.taken <= bytes.size() - taken, "takes what is there");
        taken += progress.taken;
        broken = progress.broken;
        body_bytes += parser.take_body().size();
        if (progress.taken == 0)
            break;
    }
    require(body_bytes <= bytes.size(), "no more body than came");
    if (broken)
        return false;
    const bool whole = parser.finish();
    require(!whole || (parser.status() >= 200 && parser.status() <= 999), "a status of HTTP");
    return whole;
}

}  // namespace

bool one_input(std::string_view bytes) {
    const bool request = check_request(bytes);
    const bool response = check_response(bytes);
    return request || response;
}

std::vector<std::string> seeds() {
    return {"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer iw-x\r\n"
            "Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"model\":\"m\"}",
            "POST /v1/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
            "5\r\nhello\r\n3;x=y\r\n, y\r\n0\r\ntrailer: t\r\n\r\n",
            "GET /v1/models/a%2Fb HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nhost: a\r\norigin: http://b\r\naccept: a\r\naccept: b\r\n\r\n",
            "PUT /blobs/sha256/00 HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n"
            "content-range: bytes 0-3/8\r\ncontent-length: 4\r\n\r\nabcd",
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            "5\r\nhello\r\n0\r\n\r\n"};
}

}  // namespace idlewatt::fuzz
