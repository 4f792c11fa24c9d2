// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/place.hpp"

#include <charconv>
#include <string_view>

namespace idlewatt::http {

namespace {

constexpr std::string_view plain_scheme = "http://";
constexpr std::string_view tls_scheme = "https://";

bool is_the_clients(std::string_view name, const Call& call) {
    return name == "content-length" || name == "transfer-encoding" || name == "connection" ||
           name == "host" || (name == "authorization" && !call.bearer_token.empty()) ||
           (name == "range" && call.range);
}

// nullopt: not known before.
std::optional<std::uint64_t> body_bytes(const Call& call) {
    if (call.body_stream) {
        return call.body_stream->bytes;
    }
    return call.body_file.file ? call.body_file.bytes : call.body.size();
}

}  // namespace

base::Result<Place> parse_url(const std::string& url) {
    const auto bad = [&](std::string_view why) {
        return base::fail(base::ErrorKind::bad_input,
                          "'" + url + "' is no address of a server (" + std::string(why) +
                              "). Expected http://host:port/path or https://host:port/path.");
    };
    Place place;
    place.tls = url.starts_with(tls_scheme);
    const std::string_view scheme = place.tls ? tls_scheme : plain_scheme;
    if (!url.starts_with(scheme)) {
        return bad("it does not start with http:// or https://");
    }
    for (const char c : url) {
        if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F) {
            return bad("it holds a blank or a control character");
        }
    }
    const std::size_t path = std::min(url.find_first_of("/?#", scheme.size()), url.size());
    place.port = place.tls ? 443 : 80;
    place.authority = url.substr(scheme.size(), path - scheme.size());
    place.target = url.substr(path, url.find('#', path) - path);
    if (!place.target.starts_with('/')) {
        place.target.insert(0, "/");
    }
    std::string_view rest = place.authority;
    if (rest.find('@') != std::string_view::npos) {
        return bad("it holds a user; give secrets by a file or the environment");
    }
    const std::size_t bracket = rest.starts_with('[') ? rest.find(']') : std::string_view::npos;
    const std::size_t colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
    place.host = rest.substr(0, colon);
    if (bracket != std::string_view::npos) {
        place.host = rest.substr(1, bracket - 1);
    }
    if (colon != std::string_view::npos) {
        rest.remove_prefix(colon + 1);
        const auto [end, ec] = std::from_chars(rest.data(), rest.data() + rest.size(), place.port);
        if (ec != std::errc() || end != rest.data() + rest.size() || place.port == 0) {
            return bad("the port is not a number from 1 to 65535");
        }
    }
    if (place.host.empty()) {
        return bad("it names no host");
    }
    return place;
}

std::string request_head(const Call& call, const Place& place) {
    std::string head = call.method + " " + place.target + " HTTP/1.1\r\nhost: " + place.authority +
                       "\r\nconnection: close\r\n";
    for (const auto& [name, value] : call.headers) {
        if (!is_the_clients(name, call)) {
            head += name + ": " + value + "\r\n";
        }
    }
    if (!call.bearer_token.empty()) {
        head += "authorization: Bearer " + call.bearer_token + "\r\n";
    }
    if (call.range) {
        head += "range: bytes=" + std::to_string(call.range->offset) + "-";
        if (call.range->bytes > 0) {
            head += std::to_string(call.range->offset + call.range->bytes - 1);
        }
        head += "\r\n";
    }
    const std::optional<std::uint64_t> bytes = body_bytes(call);
    if (!bytes) {
        head += "transfer-encoding: chunked\r\n";
    } else if (*bytes > 0 || (call.method != "GET" && call.method != "HEAD")) {
        head += "content-length: " + std::to_string(*bytes) + "\r\n";
    }
    return head + "\r\n";
}

}  // namespace idlewatt::http
