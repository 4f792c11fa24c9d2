// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Small files of the commands: secrets, pid files, what a script or a log holds.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace idlewatt::cli {

// Readable by its owner alone, whole or not at all.
[[nodiscard]] base::Result<void> write_secret(const std::string& path, std::string_view text);
[[nodiscard]] base::Result<void> write_file(const std::string& path, std::string_view text);
[[nodiscard]] base::Result<std::string> read_file(const std::string& path);
// An error that names --force when something of this name is there already.
[[nodiscard]] base::Result<void> may_write_new(const std::string& path, bool force);
// One decimal integer; a reader never sees half a number.
void write_pid_file(const std::string& path, int pid);
[[nodiscard]] base::Result<void> make_folder(const std::string& path);

// Keeps a state folder for one program at a time, until its end. No lock: another program has it.
class FolderLock {
public:
    FolderLock() = default;
    ~FolderLock();
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;

    [[nodiscard]] base::Result<void> take(const std::string& folder);

private:
    int file_ = -1;
};

// Any TCP port of this machine that is free now.
[[nodiscard]] base::Result<int> free_port();
// On 127.0.0.1, now.
[[nodiscard]] bool port_is_free(int port);

}  // namespace idlewatt::cli
