// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Reads one HTTP/1.1 response as it arrives, from an engine that is ours but may be broken: every
// length is bounded, and whatever does not fit the protocol is an error. Bodies by Content-Length,
// chunked, or up to the end of the connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace idlewatt::engine {

class HttpResponse {
public:
    static constexpr std::size_t head_bytes_max = 32 * 1024;

    // Takes bytes; what they hold of the body is appended. An error is final.
    [[nodiscard]] base::Result<void> feed(std::string_view bytes, std::string& body);
    // The connection was closed. An error if something was still to come.
    [[nodiscard]] base::Result<void> close();

    // Zero until the head is complete.
    [[nodiscard]] std::uint32_t status() const { return status_; }
    [[nodiscard]] bool complete() const { return state_ == State::done; }

private:
    enum class State { head, counted, until_close, chunk_size, chunk, chunk_end, trailer, done };

    base::Result<void> take_head();
    base::Result<void> take_header(std::string_view name, std::string_view value);
    base::Result<void> take_chunk_size(std::string_view line);
    // Moves one line of at most head_bytes_max out of the bytes into line_; false: not yet whole.
    base::Result<bool> take_line(std::string_view& bytes);
    base::Result<void> feed_framed(std::string_view& bytes);

    State state_ = State::head;
    std::uint32_t status_ = 0;
    std::uint64_t remaining_ = 0;
    bool chunked_ = false;
    bool has_length_ = false;
    std::string line_;
    std::size_t head_bytes_ = 0;
};

}  // namespace idlewatt::engine
