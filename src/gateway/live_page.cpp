// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/live_page.hpp"

#include <algorithm>
#include <utility>

#include "identity/secret.hpp"

namespace idlewatt::gateway {

namespace {

// Nothing from elsewhere, and nobody else's frame. Styles are also set on elements.
constexpr std::string_view page_policy =
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
constexpr std::size_t etag_digits = 32;

}  // namespace

PageFile page_file(std::string path, std::string content_type, std::string bytes) {
    std::string etag = '"' + identity::sha256_hex(bytes).substr(0, etag_digits) + '"';
    return {std::move(path), std::move(content_type), std::move(etag), std::move(bytes)};
}

const PageFile* find_page_file(const Page& page, std::string_view path) {
    const auto found = std::ranges::find(page, path, &PageFile::path);
    return found == page.end() ? nullptr : &*found;
}

http::Response page_response(const PageFile& file, const http::Request& request) {
    http::Response response{200,
                            {{"content-type", file.content_type},
                             {"etag", file.etag},
                             {"cache-control", "no-cache"},
                             {"content-security-policy", std::string(page_policy)},
                             {"x-content-type-options", "nosniff"},
                             {"referrer-policy", "no-referrer"}},
                            {}};
    const auto known = request.headers.find("if-none-match");
    if (known != request.headers.end() && known->second == file.etag)
        response.status = 304;
    else
        response.body = file.bytes;
    return response;
}

}  // namespace idlewatt::gateway
