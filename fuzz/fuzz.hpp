// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a fuzz target is: a file that defines one_input() and seeds(). The same file becomes a plain
// program (driver.cpp: a number of seeded mutations, memory and time watched) and, with clang, a
// libFuzzer target (libfuzzer.cpp). What was once found lies in corpus/TARGET/ and is tried first.
#pragma once

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace idlewatt::fuzz {

// Gives the bytes to whatever reads them. True: taken; false: refused with a proper error. What
// must not happen ends the process by require().
[[nodiscard]] bool one_input(std::string_view bytes);

// Good inputs to start from.
[[nodiscard]] std::vector<std::string> seeds();

// std::source_location is not there with Debian 12's clang.
inline void require(bool holds, std::string_view what, const char* file = __builtin_FILE(),
                    int line = __builtin_LINE()) {
    if (holds)
        return;
    std::cerr << file << ':' << line << ": broken: " << what << '\n';
    std::abort();
}

}  // namespace idlewatt::fuzz
