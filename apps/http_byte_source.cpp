// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http_byte_source.hpp"

#include <algorithm>

#include "http/client.hpp"
#include "wire/api_error.hpp"

namespace idlewatt {

namespace {

constexpr base::Duration silence_timeout = base::seconds(20);
constexpr std::size_t refusal_bytes_max = 4096;

base::ErrorKind kind_of(int status) {
    if (status == 401 || status == 403)
        return base::ErrorKind::denied;
    return status == 404 ? base::ErrorKind::not_found : base::ErrorKind::unavailable;
}

// The first byte of "bytes 100-199/1000".
bool begins_at(const http::Headers& headers, std::uint64_t offset) {
    const auto range = headers.find("content-range");
    return range != headers.end() &&
           range->second.starts_with("bytes " + std::to_string(offset) + "-");
}

class HttpTransfer final : public blobs::Transfer {
public:
    HttpTransfer(base::AsioLoop& loop, http::Call call, blobs::ByteHandler handler)
        : url_(call.url),
          offset_(call.range->offset),
          left_(call.range->bytes),
          handler_(std::move(handler)) {
        http::CallHandler on;
        on.on_head = [this](int status, const http::Headers& headers) { head(status, headers); };
        on.on_body = [this](std::string_view bytes) { body(bytes); };
        on.on_end = [this](const base::Result<void>& result) { end(result); };
        exchange_ = http::call(loop, std::move(call), std::move(on));
    }

private:
    // A server that knows no ranges sends all of it: good for the first one.
    void head(int status, const http::Headers& headers) {
        status_ = status;
        fits_ = (status == 206 && begins_at(headers, offset_)) || (status == 200 && offset_ == 0);
    }

    void body(std::string_view bytes) {
        if (!fits_) {
            refusal_ += bytes.substr(
                0, std::min(bytes.size(),
                            refusal_bytes_max - std::min(refusal_bytes_max, refusal_.size())));
            return;
        }
        bytes = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), left_));
        left_ -= bytes.size();
        if (!bytes.empty())
            handler_.on_bytes(bytes);
        if (left_ == 0)
            end({});
    }

    // Nothing of this is touched after on_end: it may be gone.
    void end(const base::Result<void>& result) {
        if (!handler_.on_end)
            return;
        base::Result<void> told = result;
        if (result && !fits_) {
            const auto read = wire::parse_error_body(refusal_);
            told = base::fail(kind_of(status_), url_ + " answers " + std::to_string(status_) +
                                                    (read ? ": " + read->message : "") +
                                                    (status_ / 100 == 2 ? ": not that range" : ""));
        }
        const auto on_end = std::exchange(handler_.on_end, nullptr);
        on_end(told);
    }

    std::string url_;
    std::uint64_t offset_;
    std::uint64_t left_;
    blobs::ByteHandler handler_;
    int status_ = 0;
    bool fits_ = false;
    std::string refusal_;
    std::unique_ptr<http::Exchange> exchange_;
};

}  // namespace

std::unique_ptr<blobs::Transfer> HttpByteSource::get(const std::string& url, std::uint64_t offset,
                                                     std::uint64_t count,
                                                     blobs::ByteHandler handler) {
    http::Call call;
    call.url = url;
    call.silence_timeout = silence_timeout;
    call.bearer_token = ticket_();
    call.ca_file = ca_file_;
    call.range = http::Call::Range{offset, count};
    return std::make_unique<HttpTransfer>(loop_, std::move(call), std::move(handler));
}

}  // namespace idlewatt
