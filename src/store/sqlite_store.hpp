// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The store in one SQLite file (with PATH-wal and PATH-shm beside it while it is open).
#pragma once

#include <memory>
#include <string>

#include "base/loop.hpp"
#include "base/result.hpp"
#include "store/store.hpp"

namespace idlewatt::store {

// Blocks while the file is opened and, if it is new, its tables are made; the folder must be there.
// Several processes may open the same file. Errors: io when it cannot be opened or is damaged,
// bad_input when it is of another version.
[[nodiscard]] base::Result<std::unique_ptr<Store>> open_sqlite_store(base::Loop& loop,
                                                                     const std::string& path);

}  // namespace idlewatt::store
