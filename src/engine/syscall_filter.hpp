// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A seccomp filter for engines: refuses (EPERM) the system calls by which a broken engine could
// reach for the kernel or other processes and which inference never makes. A list of what is
// forbidden, not of what is allowed: engines change, and a new call must not stop them.
#pragma once

namespace idlewatt::engine {

// A descriptor with the program for bwrap --seccomp, close-on-exec; -1 where it cannot be made.
[[nodiscard]] int make_syscall_filter();

}  // namespace idlewatt::engine
