// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// multipart/form-data (RFC 7578) as it arrives, in any pieces: what a part is called, then its
// bytes. Holds no more than a part's head or a delimiter, whatever the size of the body.
//
// Threads: none of its own. Errors: bad_input, once; nothing follows it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace idlewatt::http {

inline constexpr std::size_t multipart_boundary_bytes_max = 70;  // RFC 2046
inline constexpr std::size_t multipart_head_bytes_max = 8 * 1024;
inline constexpr std::size_t multipart_parts_max = 32;

struct MultipartHead {
    std::string name;
    std::optional<std::string> filename{};  // as sent
    std::string content_type{};             // empty: none
};

struct MultipartHandler {
    std::function<void(const MultipartHead&)> on_part;
    std::function<void(std::string_view bytes)> on_bytes;
    std::function<void()> on_part_end;
};

// The boundary in a content-type; nullopt: not multipart/form-data, or no boundary that may be.
[[nodiscard]] std::optional<std::string> multipart_boundary(std::string_view content_type);

class Multipart {
public:
    Multipart(std::string_view boundary, MultipartHandler handler);

    [[nodiscard]] base::Result<void> feed(std::string_view bytes);
    // The closing delimiter was there; what follows it is ignored.
    [[nodiscard]] bool complete() const { return state_ == State::epilogue; }

private:
    enum class State { preamble, delimiter, head, body, epilogue, broken };

    // False: more bytes are needed.
    [[nodiscard]] base::Result<bool> step();
    [[nodiscard]] base::Result<bool> skip_preamble();
    [[nodiscard]] base::Result<bool> read_delimiter();
    [[nodiscard]] base::Result<bool> read_head();
    [[nodiscard]] base::Result<bool> read_body();

    MultipartHandler handler_;
    std::string delimiter_;
    State state_ = State::preamble;
    std::string held_ = "\r\n";  // a body may begin with the delimiter's line
    std::size_t parts_ = 0;
};

}  // namespace idlewatt::http
