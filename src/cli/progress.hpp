// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How far a long transfer, or a batch, is: one bar on a terminal, else a plain line every ten
// seconds and one at the end, nothing where a program reads. It never goes back and never estimates
// a negative time.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "base/time.hpp"

namespace idlewatt::cli {

enum class ProgressStyle { bar, plain, none };
// What fits the stream: a bar on a terminal that understands one, else lines; none with json.
[[nodiscard]] ProgressStyle progress_style(int descriptor, bool json);

enum class ProgressUnit { bytes, lines };

class Progress {
public:
    Progress(std::ostream& err, ProgressStyle style, std::string what, std::uint64_t total_bytes,
             ProgressUnit unit = ProgressUnit::bytes);
    ~Progress();  // clears an unfinished bar

    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // Bytes (or lines) that were there before this run began do not count as speed.
    void begin(std::uint64_t bytes, base::Instant now);
    void update(std::uint64_t bytes, base::Instant now);
    void finish(base::Instant now);

    static constexpr base::Duration bar_period = base::milliseconds(100);
    static constexpr base::Duration line_period = base::seconds(10);

private:
    void draw(base::Instant now);
    [[nodiscard]] std::string speed_and_rest(base::Instant now) const;
    [[nodiscard]] std::string amount(std::uint64_t count) const;

    std::ostream& err_;
    ProgressStyle style_;
    std::string what_;
    std::uint64_t total_bytes_;
    ProgressUnit unit_;
    std::uint64_t first_bytes_ = 0;
    std::uint64_t bytes_ = 0;
    base::Instant began_at_;
    base::Instant drawn_at_{INT64_MIN / 2};
    bool bar_stands_ = false;
};

}  // namespace idlewatt::cli
