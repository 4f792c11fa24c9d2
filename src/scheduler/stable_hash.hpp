// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A hash that is the same in every process and on every machine, so that all gateways of a cell
// send one conversation to one car. Not for secrets, and not against somebody who looks for
// collisions: a collision costs nothing but a warm cache. Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace idlewatt::scheduler {

// Spreads the bits of one word over all of it: the finaliser of SplitMix64 (Steele, Lea, Flood
// 2014, public domain). One to one.
[[nodiscard]] constexpr std::uint64_t mixed(std::uint64_t word) {
    word += 0x9e3779b97f4a7c15ULL;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
    return word ^ (word >> 31);
}

// FNV-1a (Fowler, Noll, Vo), then mixed. Several texts are hashed in a row by handing on the
// result: stable_hash(first_message, stable_hash(model)).
[[nodiscard]] constexpr std::uint64_t stable_hash(std::string_view text, std::uint64_t before = 0) {
    std::uint64_t hash = 0xcbf29ce484222325ULL ^ before;
    for (const char c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3ULL;
    }
    return mixed(hash);
}

}  // namespace idlewatt::scheduler
