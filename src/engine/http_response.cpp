// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/http_response.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace idlewatt::engine {

namespace {

constexpr std::uint64_t body_part_bytes_max = std::uint64_t{1} << 32;

tl::unexpected<base::Error> broken(std::string_view what) {
    return base::fail(base::ErrorKind::bad_input,
                      "the engine's HTTP response is broken: " + std::string(what));
}

bool same_word(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return std::tolower(static_cast<unsigned char>(x)) ==
               std::tolower(static_cast<unsigned char>(y));
    });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

bool parse_number(std::string_view text, int base, std::uint64_t& value) {
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return result.ec == std::errc{} && result.ptr == text.data() + text.size() &&
           value <= body_part_bytes_max;
}

}  // namespace

base::Result<bool> HttpResponse::take_line(std::string_view& bytes) {
    const std::size_t end = bytes.find('\n');
    const std::size_t size = end == std::string_view::npos ? bytes.size() : end + 1;
    head_bytes_ += size;
    if (head_bytes_ > head_bytes_max)
        return broken("its head is longer than 32 KiB");
    line_.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    if (end == std::string_view::npos)
        return false;
    line_.pop_back();
    if (!line_.empty() && line_.back() == '\r')
        line_.pop_back();
    return true;
}

base::Result<void> HttpResponse::take_header(std::string_view name, std::string_view value) {
    if (same_word(name, "content-length")) {
        if (!parse_number(value, 10, remaining_))
            return broken("a senseless Content-Length");
        has_length_ = true;
    } else if (same_word(name, "transfer-encoding")) {
        if (!same_word(value, "chunked"))
            return broken("an unknown Transfer-Encoding");
        chunked_ = true;
    }
    return {};
}

// One line of the head is in line_.
base::Result<void> HttpResponse::take_head() {
    const std::string line = std::exchange(line_, {});
    const std::string_view text = line;
    if (status_ == 0) {
        std::uint64_t status = 0;
        if (!text.starts_with("HTTP/1.") || text.size() < 12 || text[8] != ' ' ||
            !parse_number(text.substr(9, 3), 10, status) || status < 100 || status > 599) {
            return broken("no HTTP status line");
        }
        status_ = static_cast<std::uint32_t>(status);
        return {};
    }
    if (!text.empty()) {
        const std::size_t colon = text.find(':');
        if (colon == std::string_view::npos)
            return broken("a header without a colon");
        return take_header(text.substr(0, colon), trimmed(text.substr(colon + 1)));
    }
    if (status_ < 200) {  // 100 Continue: the real head follows
        status_ = 0;
        return {};
    }
    head_bytes_ = 0;
    if (chunked_) {
        state_ = State::chunk_size;
    } else if (has_length_ || status_ == 204 || status_ == 304) {
        state_ = remaining_ == 0 ? State::done : State::counted;
    } else {
        state_ = State::until_close;
    }
    return {};
}

base::Result<void> HttpResponse::take_chunk_size(std::string_view line) {
    const std::string_view digits = trimmed(line.substr(0, line.find(';')));
    if (digits.empty() || !parse_number(digits, 16, remaining_)) {
        return broken("a senseless chunk size");
    }
    state_ = remaining_ == 0 ? State::trailer : State::chunk;
    return {};
}

// The parts of a body that are lines: chunk sizes and ends, trailers, and the head.
base::Result<void> HttpResponse::feed_framed(std::string_view& bytes) {
    const auto whole = take_line(bytes);
    if (!whole)
        return tl::unexpected<base::Error>(whole.error());
    if (!*whole)
        return {};
    if (state_ == State::head)
        return take_head();
    const std::string line = std::exchange(line_, {});
    head_bytes_ = 0;
    if (state_ == State::chunk_size)
        return take_chunk_size(line);
    if (state_ == State::chunk_end) {
        if (!line.empty())
            return broken("a chunk is longer than its size");
        state_ = State::chunk_size;
    } else if (line.empty()) {
        state_ = State::done;  // end of the trailer
    }
    return {};
}

base::Result<void> HttpResponse::feed(std::string_view bytes, std::string& body) {
    while (!bytes.empty()) {
        switch (state_) {
            case State::done:
                return broken("bytes after its end");
            case State::until_close:
                body.append(bytes);
                return {};
            case State::counted:
            case State::chunk: {
                const auto size =
                    static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size()));
                body.append(bytes.substr(0, size));
                bytes.remove_prefix(size);
                remaining_ -= size;
                if (remaining_ == 0) {
                    state_ = state_ == State::chunk ? State::chunk_end : State::done;
                }
                break;
            }
            default:
                if (auto fine = feed_framed(bytes); !fine)
                    return fine;
        }
    }
    return {};
}

base::Result<void> HttpResponse::close() {
    if (state_ == State::until_close)
        state_ = State::done;
    if (state_ == State::done)
        return {};
    return base::fail(base::ErrorKind::unavailable,
                      "the engine closed the connection in the middle of its response");
}

}  // namespace idlewatt::engine
