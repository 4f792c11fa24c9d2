// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What this test program has allocated so far, for tests that bound memory. The counting operators
// are in wire_mutation_test.cpp.
#pragma once

#include <atomic>
#include <cstddef>

namespace idlewatt::wire {

extern std::atomic<std::size_t> allocated_bytes;

}  // namespace idlewatt::wire
