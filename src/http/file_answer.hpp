// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Answers GET and HEAD with a file as RFC 9110 wants it: one range, 206, 416, If-Range by a strong
// ETag, If-None-Match. For blobs whose name is their hash, so that a transfer can go on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/http.hpp"

namespace idlewatt::http {

struct ByteRange {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

enum class RangeVerdict { whole, part, unsatisfiable };

struct RangeAsked {
    RangeVerdict verdict = RangeVerdict::whole;
    ByteRange range;  // of a part
};

// What "Range: <value>" asks of so many bytes. More than one range and what is not understood mean
// the whole, as RFC 9110 allows.
[[nodiscard]] RangeAsked read_range(std::string_view value, std::uint64_t total_bytes);

// "bytes 5-9/20" of an answer: offset and count, and the total unless it is "*".
struct ContentRange {
    std::optional<ByteRange> range;  // nothing: "bytes */20"
    std::optional<std::uint64_t> total_bytes;
};
[[nodiscard]] std::optional<ContentRange> read_content_range(std::string_view value);

// tag: the content of the ETag without its quotes; headers: content-type and the like.
void answer_with_file(Server& server, const Request& request,
                      std::shared_ptr<const ServedFile> file, std::string_view tag,
                      Headers headers);

}  // namespace idlewatt::http
