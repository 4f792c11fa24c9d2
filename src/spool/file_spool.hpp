// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The spool in a file. Beside PATH there may be for a moment PATH.new (a rewrite under way) and,
// after damage in the middle of the file was found, PATH.damaged (the file as it was found).
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "spool/spool.hpp"

namespace idlewatt::spool {

// Makes the file (mode 0600) if there is none; the folder must be there. Errors: unavailable when
// another process holds it, bad_input when it is not a spool, io when the system refuses.
[[nodiscard]] base::Result<std::unique_ptr<Spool>> open_file_spool(const std::string& path);

}  // namespace idlewatt::spool
