// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A record of every byte that went over the engine's socket for an answer, for checkers that must
// not trust the code that resumes. Each frame is appended by one write(2), so the file survives a
// kill -9 up to its last, possibly torn, frame.
//
// The file is a row of frames, all numbers little-endian:
//   4  "IWT1"
//   1  direction: 0 to the engine, 1 from the engine, 2 the connection is over
//   1  zero
//   2  bytes of the label
//   8  connection, unique in the file
//   8  wall time in microseconds since 1970
//   4  bytes of the data
//   …  label, then data (raw HTTP; of the response it may be any stretch, and what would follow the
//      last event may be missing: the connection is closed when the answer is known to be whole)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace idlewatt::engine {

enum class TapDirection : std::uint8_t { to_engine = 0, from_engine = 1, over = 2 };

inline constexpr std::uint64_t tap_bytes_max = std::uint64_t{1} << 30;

struct TapFrame {
    TapDirection direction = TapDirection::to_engine;
    std::uint64_t connection = 0;
    base::WallTime at;
    std::string label;
    std::string data;

    friend bool operator==(const TapFrame&, const TapFrame&) = default;
};

class TapWriter {
public:
    // An empty path makes a tap that records nothing.
    [[nodiscard]] static base::Result<std::shared_ptr<TapWriter>> open(const std::string& path);
    ~TapWriter();

    TapWriter(const TapWriter&) = delete;
    TapWriter& operator=(const TapWriter&) = delete;

    // A failed write (disk full) or a full file is logged once and ends the recording: a gap would
    // deceive.
    void write(TapDirection direction, std::uint64_t connection, base::WallTime at,
               std::string_view label, std::string_view data);

private:
    TapWriter(int fd, std::uint64_t bytes) : fd_(fd), bytes_(bytes) {}
    int fd_ = -1;
    std::uint64_t bytes_ = 0;
};

// All whole frames; a torn last one is left out. Garbage in the middle is an error.
[[nodiscard]] base::Result<std::vector<TapFrame>> read_tap(const std::string& path);

}  // namespace idlewatt::engine
