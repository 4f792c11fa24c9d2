// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The story of one run as text: what happened, when, to whom. The same seed writes the same bytes.
// Beside it the complaints of the checkers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/loop.hpp"

namespace idlewatt::simulator {

inline constexpr std::size_t violations_kept_max = 20;

class Trace {
public:
    explicit Trace(const base::Loop& loop) : loop_(loop) {}

    void line(std::string_view who, std::string_view what);
    // A property does not hold: the run has failed.
    void violation(std::string_view who, std::string_view what);

    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] std::string take_text() { return std::move(text_); }
    [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }

private:
    const base::Loop& loop_;
    std::string text_;
    std::vector<std::string> violations_;
};

// On one line: control characters and backslashes written out.
[[nodiscard]] std::string escaped(std::string_view bytes);

}  // namespace idlewatt::simulator
