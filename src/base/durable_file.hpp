// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Small files that are there whole or not at all, also after a power cut: credentials, caches of
// what another role said. Blocks for a sync of the disk. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace idlewatt::base {

// Replaces the file; mode 0600. Errors: io, limit_exceeded when the disk is full.
[[nodiscard]] Result<void> write_durably(const std::string& path, std::string_view bytes);

// Errors: not_found, limit_exceeded when it is larger, io.
[[nodiscard]] Result<std::string> read_whole(const std::string& path, std::size_t bytes_max);

}  // namespace idlewatt::base
