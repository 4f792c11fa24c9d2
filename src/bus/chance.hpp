// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the kernel's randomness is wanted for here: names that no other connection in the world has,
// and seeds. Internal to the module. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace idlewatt::bus {

[[nodiscard]] std::uint64_t random_seed();
// 128 bits, as a token of a subject.
[[nodiscard]] std::string unique_token();

}  // namespace idlewatt::bus
