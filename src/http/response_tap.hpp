// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Records what clients of /v1 are sent, at the door, for a judge that must not trust the code which
// makes the answers. A server around a server: everything passes through unchanged.
//
// The file is a row of frames, each appended by one write(2): a line "kind request time_us bytes"
// and that many bytes of data, then a newline. Kinds: head (data: status and content type), body,
// end (the answer is whole), broken (it was broken off or the client went away), run (a new server
// writes from here on: numbers of requests begin again, and what was open before never ended).
// A broken after the end of a streamed answer counts: the client left before it had got all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "base/result.hpp"
#include "http/http.hpp"

namespace idlewatt::http {

// A recording that grows beyond this stops: it is for demonstrations and tests.
inline constexpr std::uint64_t response_tap_bytes_max = std::uint64_t{1} << 30;

// So many ended answers are remembered, in case that their clients leave before the last byte.
inline constexpr std::size_t response_tap_ended_max = 4096;

// The inner server outlives the tap. Appends to what an earlier run recorded, less a torn last
// frame. Fails if the file cannot be opened.
[[nodiscard]] base::Result<std::unique_ptr<Server>> tap_responses(base::Loop& loop, Server& inner,
                                                                  const std::string& path);

struct ResponseFrame {
    enum class Kind { head, body, end, broken, run };
    Kind kind = Kind::body;
    std::uint64_t request = 0;
    base::WallTime at;
    std::string data;
};

// All whole frames; a torn last one is left out.
[[nodiscard]] base::Result<std::vector<ResponseFrame>> read_response_tap(const std::string& path);

}  // namespace idlewatt::http
