// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The way into a target for clang's libFuzzer, which brings its own main().
#include <cstddef>
#include <cstdint>

#include "fuzz.hpp"

// A new kind of input is worth keeping whether it was taken or refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static_cast<void>(idlewatt::fuzz::one_input({reinterpret_cast<const char*>(data), size}));
    return 0;
}
