// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Blobs as files of one folder: <sha256> when complete, <sha256>.part until then, and a lock. A
// file's time of change is when it was last used.
#pragma once

#include <memory>
#include <string>

#include "base/loop.hpp"
#include "base/result.hpp"
#include "blobs/blobs.hpp"

namespace idlewatt::blobs {

struct FolderOptions {
    std::string path;  // made (mode 0700) if it is not there; its parent must be
    std::uint64_t bytes_limit = std::uint64_t{64} << 30;
};

// Reads the folder at once; called before the loop runs. Errors: unavailable when another process
// holds the folder, io when the system refuses.
[[nodiscard]] base::Result<std::unique_ptr<Blobs>> open_folder_blobs(base::Loop& loop,
                                                                     const FolderOptions& options);

}  // namespace idlewatt::blobs
