// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/chance.hpp"

#include <span>

#include <sys/random.h>

#include "base/assert.hpp"
#include "base/encoding.hpp"

namespace idlewatt::bus {

namespace {

constexpr std::size_t token_bytes = 16;

void fill(std::span<char> place) {
    // Up to 256 bytes come whole, or the kernel has no randomness to give at all.
    const ssize_t filled = ::getrandom(place.data(), place.size(), 0);
    IDLEWATT_ASSERT(filled == static_cast<ssize_t>(place.size()));
}

}  // namespace

std::uint64_t random_seed() {
    std::uint64_t seed = 0;
    fill({reinterpret_cast<char*>(&seed), sizeof seed});
    return seed;
}

std::string unique_token() {
    std::string bytes(token_bytes, '\0');
    fill(bytes);
    return base::to_hex(bytes);
}

}  // namespace idlewatt::bus
