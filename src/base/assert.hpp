// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Assertions are for bugs of ours, never for input from outside, and stay on in release: a car
// that has lost its invariants must stop rather than guess.
#pragma once

namespace idlewatt::base {

// Prints the broken expectation to stderr and aborts. Any thread.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace idlewatt::base

#define IDLEWATT_ASSERT(expression)      \
    ((expression) ? static_cast<void>(0) \
                  : ::idlewatt::base::assertion_failed(#expression, __FILE__, __LINE__))
