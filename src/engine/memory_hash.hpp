// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The in-memory twin's only source of variety. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace idlewatt::engine {

[[nodiscard]] constexpr std::uint64_t memory_mix(std::uint64_t z) {
    z += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

// FNV-1a.
[[nodiscard]] constexpr std::uint64_t memory_hash(std::string_view text,
                                                  std::uint64_t start = 0xcbf29ce484222325ULL) {
    for (const char c : text) {
        start = (start ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return start;
}

}  // namespace idlewatt::engine
