// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/trace.hpp"

#include <array>
#include <cstdio>

namespace idlewatt::simulator {

void Trace::line(std::string_view who, std::string_view what) {
    std::array<char, 32> time{};
    const long long us = (loop_.now() - base::Instant{}).ns / 1'000;
    std::snprintf(time.data(), time.size(), "%4lld.%06lld ", us / 1'000'000, us % 1'000'000);
    text_ += time.data();
    text_ += who;
    text_ += ' ';
    text_ += what;
    text_ += '\n';
}

void Trace::violation(std::string_view who, std::string_view what) {
    const std::size_t before = text_.size();
    line(who, "VIOLATION " + std::string(what));
    if (violations_.size() < violations_kept_max)
        violations_.push_back(text_.substr(before, text_.size() - before - 1));
}

std::string escaped(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() + 8);
    for (const char c : bytes) {
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\\') {
            out += "\\\\";
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += '?';
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace idlewatt::simulator
