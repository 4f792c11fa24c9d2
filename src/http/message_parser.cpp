// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// On Beast's basic_parser directly: no message type, no field container, no copy between.
#include "http/message_parser.hpp"

#include <utility>

// A false alarm about an optional in basic_parser.hpp, seen only with sanitizers.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace idlewatt::http {

namespace {

namespace beast = boost::beast;
using beast::error_code;
using View = beast::string_view;
using MaybeLength = boost::optional<std::uint64_t>;

void add_header(Headers& headers, View name, View value) {
    std::string lower(name.data(), name.size());
    for (char& c : lower) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    const auto [place, fresh] = headers.try_emplace(std::move(lower));
    if (!fresh) {
        place->second += place->first == "cookie" ? "; " : ", ";
    }
    place->second.append(value.data(), value.size());
}

error_code stopped() {
    return beast::http::make_error_code(beast::http::error::bad_value);
}

// The shortest end of a chunked body: "0\r\n\r\n".
constexpr std::size_t chunked_end_bytes = 5;

// Beast 1.81 aborts when it is shown the beginning of a last chunk a second time and still has
// fewer bytes than that. No message ends with so few, so they can wait for those behind them.
template <class Parser>
bool may_be_cut_end(const Parser& parser, std::string_view rest) {
    return rest.size() < chunked_end_bytes && rest.starts_with('0') && parser.is_header_done() &&
           parser.chunked();
}

}  // namespace

// ── requests ────────────────────────────────────────────────────────────────────────────────────

struct RequestParser::Implementation final : beast::http::basic_parser<true> {
    Implementation() {
        eager(false);
        header_limit(static_cast<std::uint32_t>(header_bytes_max));
        body_limit(boost::none);  // until limit_body()
    }

    void refuse(int status, error_code& ec) {
        refused = status;
        ec = stopped();
    }

    void on_request_impl(beast::http::verb, View method, View target, int version,
                         error_code& ec) override {
        if (target.size() > target_bytes_max) {
            return refuse(414, ec);
        }
        request.method.assign(method.data(), method.size());
        request.target.assign(target.data(), target.size());
        http_1_0 = version < 11;
    }

    void on_response_impl(int, View, int, error_code&) override {}

    void on_field_impl(beast::http::field field, View name, View value, error_code& ec) override {
        if (is_header_done()) {
            return;  // a trailer must not change what was decided by the head
        }
        if (field == beast::http::field::transfer_encoding && !beast::iequals(value, "chunked")) {
            return refuse(501, ec);
        }
        if (field == beast::http::field::expect && !http_1_0) {
            if (!beast::iequals(value, "100-continue")) {
                return refuse(417, ec);
            }
            expects_continue = true;
        }
        add_header(request.headers, name, value);
    }

    std::size_t take(View body) {
        request.body.append(body.data(), body.size());
        return body.size();
    }

    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const MaybeLength&, error_code&) override {}
    std::size_t on_body_impl(View body, error_code&) override { return take(body); }
    void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, View body, error_code&) override {
        return take(body);
    }
    void on_finish_impl(error_code&) override {}

    Request request;
    std::size_t head_bytes = 0;
    int refused = 0;
    bool http_1_0 = false;
    bool expects_continue = false;
};

RequestParser::RequestParser() : impl_(std::make_unique<Implementation>()) {}
RequestParser::~RequestParser() = default;

RequestParser::Progress RequestParser::feed(std::string_view bytes) {
    Progress progress;
    error_code ec;
    while (!ec && !impl_->is_done() && progress.taken < bytes.size()) {
        const bool in_head = !impl_->is_header_done();
        const std::string_view rest = bytes.substr(progress.taken);
        if (may_be_cut_end(*impl_, rest))
            break;
        const std::size_t taken =
            impl_->put(boost::asio::const_buffer(rest.data(), rest.size()), ec);
        progress.taken += taken;
        if (in_head && !impl_->is_header_done()) {
            impl_->head_bytes += taken;
        } else if (in_head && !ec) {
            return progress;
        }
    }
    if (ec && ec != beast::http::error::need_more) {
        progress.refused = impl_->refused != 0                      ? impl_->refused
                           : ec == beast::http::error::header_limit ? 431
                           : ec == beast::http::error::body_limit   ? 413
                                                                    : 400;
        return progress;
    }
    const std::size_t left = bytes.size() - progress.taken;
    if (!impl_->is_header_done() && impl_->head_bytes + left > header_bytes_max) {
        progress.refused = 431;
    } else if (!impl_->is_done() && left > header_bytes_max) {
        progress.refused = 400;  // a chunk's head or the trailers that never end
    }
    return progress;
}

bool RequestParser::done() const {
    return impl_->is_done();
}
std::size_t RequestParser::body_bytes() const {
    return impl_->request.body.size();
}

bool RequestParser::head_done() const {
    return impl_->is_header_done();
}
const Request& RequestParser::head() const {
    return impl_->request;
}

int RequestParser::limit_body(std::uint64_t bytes) {
    impl_->body_limit(bytes);
    const MaybeLength length = impl_->content_length();
    return length && *length > bytes ? 413 : 0;
}

std::string RequestParser::take_body() {
    return std::exchange(impl_->request.body, {});
}

bool RequestParser::take_expectation() {
    return impl_->is_header_done() && !impl_->is_done() && impl_->request.body.empty() &&
           std::exchange(impl_->expects_continue, false);
}

bool RequestParser::keep_alive() const {
    return impl_->keep_alive();
}
bool RequestParser::is_http_1_0() const {
    return impl_->http_1_0;
}
Request RequestParser::take_request() {
    return std::move(impl_->request);
}

// ── responses ───────────────────────────────────────────────────────────────────────────────────

struct ResponseParser::Implementation final : beast::http::basic_parser<false> {
    Implementation() {
        eager(true);
        header_limit(static_cast<std::uint32_t>(header_bytes_max));
        body_limit(boost::none);
    }

    void on_request_impl(beast::http::verb, View, View, int, error_code&) override {}
    void on_response_impl(int code, View, int, error_code&) override { status_code = code; }
    void on_field_impl(beast::http::field, View name, View value, error_code&) override {
        if (!is_header_done()) {
            add_header(headers, name, value);
        }
    }
    std::size_t take(View bytes) {
        body.append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const MaybeLength&, error_code&) override {}
    std::size_t on_body_impl(View bytes, error_code&) override { return take(bytes); }
    void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, View bytes, error_code&) override {
        return take(bytes);
    }
    void on_finish_impl(error_code&) override {}

    int status_code = 0;
    Headers headers;
    std::string body;
};

ResponseParser::ResponseParser(bool to_head_request) : to_head_request_(to_head_request) {
    start();
}
ResponseParser::~ResponseParser() = default;

void ResponseParser::start() {
    impl_ = std::make_unique<Implementation>();
    impl_->skip(to_head_request_);
}

ResponseParser::Progress ResponseParser::feed(std::string_view bytes) {
    Progress progress;
    error_code ec;
    while (!ec && progress.taken < bytes.size()) {
        if (impl_->is_done()) {
            if (impl_->status_code >= 200) {
                break;
            }
            start();  // 1xx: the answer itself is still to come
        }
        const std::string_view rest = bytes.substr(progress.taken);
        if (may_be_cut_end(*impl_, rest))
            break;
        progress.taken += impl_->put(boost::asio::const_buffer(rest.data(), rest.size()), ec);
    }
    progress.broken = (ec && ec != beast::http::error::need_more) ||
                      (!done() && bytes.size() - progress.taken > header_bytes_max);
    return progress;
}

bool ResponseParser::finish() {
    if (done()) {
        return true;
    }
    if (!head_done()) {
        return false;
    }
    error_code ec;
    impl_->put_eof(ec);
    return !ec;
}

bool ResponseParser::head_done() const {
    return impl_->is_header_done() && impl_->status_code >= 200;
}
bool ResponseParser::done() const {
    return impl_->is_done() && impl_->status_code >= 200;
}
int ResponseParser::status() const {
    return impl_->status_code;
}
const Headers& ResponseParser::headers() const {
    return impl_->headers;
}
std::string ResponseParser::take_body() {
    return std::exchange(impl_->body, {});
}

}  // namespace idlewatt::http
