// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A seeded generator for decisions and simulations: the same seed gives the same run on every
// machine. Not for keys. Algorithms: SplitMix64 for seeding and xoshiro256** by Blackman and
// Vigna (2018), both public domain, https://prng.di.unimi.it.
#pragma once

#include <array>
#include <cstdint>

#include "base/assert.hpp"

namespace idlewatt::base {

class Prng {
public:
    explicit Prng(std::uint64_t seed) {
        for (std::uint64_t& word : state_) {
            seed += 0x9e3779b97f4a7c15ULL;
            std::uint64_t z = seed;
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
            z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
            word = z ^ (z >> 31);
        }
    }

    std::uint64_t next() {
        const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
        const std::uint64_t shifted = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = rotate(state_[3], 45);
        return result;
    }

    // Uniform in [0, limit); limit > 0. Multiply-shift: the bias is below limit / 2^64.
    std::uint64_t below(std::uint64_t limit) {
        IDLEWATT_ASSERT(limit > 0);
        __extension__ using Wide = unsigned __int128;
        return static_cast<std::uint64_t>((static_cast<Wide>(next()) * limit) >> 64);
    }

    // Uniform in [0, 1).
    double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

    bool chance(double probability) { return unit() < probability; }

private:
    static std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

    std::array<std::uint64_t, 4> state_{};
};

}  // namespace idlewatt::base
