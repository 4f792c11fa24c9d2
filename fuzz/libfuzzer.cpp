// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The way into a target for clang's libFuzzer, which brings its own main(). Half of its mutations
// are ours, which know words, numbers and brackets; the seeds are built in.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "fuzz.hpp"
#include "testing/mutator.hpp"

namespace {

constexpr unsigned seed_one_in = 64;
constexpr unsigned learnt_one_in = 2;

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

// A new kind of input is worth keeping whether it was taken or refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static_cast<void>(idlewatt::fuzz::one_input({reinterpret_cast<const char*>(data), size}));
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t size_max, unsigned int seed) {
    static idlewatt::testing::Mutator mutator(idlewatt::fuzz::seeds(), seed);
    std::string bytes(reinterpret_cast<const char*>(data), size);
    if (seed % seed_one_in == 0) {
        bytes = mutator.next();
    } else if (seed % learnt_one_in == 0) {
        mutator.mutate(bytes);
    } else {
        return LLVMFuzzerMutate(data, size, size_max);
    }
    bytes.resize(std::min(bytes.size(), size_max));
    std::memcpy(data, bytes.data(), bytes.size());
    return bytes.size();
}
