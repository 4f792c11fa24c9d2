// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A 64-bit hash that is the same in every version, on every machine. Not against attackers: who
// finds a collision only shares a car. FNV-1a with the finaliser of SplitMix64, both public domain.
#pragma once

#include <cstdint>
#include <string_view>

namespace idlewatt::wire {

class StableHash {
public:
    // Adding "ab" and "c" is not the same as "a" and "bc".
    void add(std::string_view text) {
        for (const char c : text)
            step(static_cast<unsigned char>(c));
        for (std::uint64_t length = text.size(), i = 0; i < 8; ++i, length >>= 8)
            step(length & 0xff);
    }

    [[nodiscard]] std::uint64_t value() const {
        std::uint64_t z = state_ + 0x9e3779b97f4a7c15ULL;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }

private:
    void step(std::uint64_t byte) { state_ = (state_ ^ byte) * 0x100000001b3ULL; }

    std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

}  // namespace idlewatt::wire
