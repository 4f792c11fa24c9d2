// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace idlewatt::base {

void assertion_failed(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "idlewatt: assertion failed: %s (%s:%d)\n", expression, file, line);
    std::abort();
}

}  // namespace idlewatt::base
