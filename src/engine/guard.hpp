// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What agent and guard say to each other. The guard is a small process of its own between the
// agent and the sandbox: it ends the engine when the agent dies (its pipe closes) or hangs (no
// heartbeat for a second), which the agent itself could not.
//
//   engine-guard --memory BYTES --group NAME [--direct FOLDER] -- PROGRAM ARGUMENTS…
//
// Descriptors of the guard: 3 heartbeat (read: any bytes), 4 report (write). The report is text:
//   "limit cgroup2|cgroup1|none\n"   how memory is limited
//   "raise yes|no\n"                whether a lowered CPU priority can be raised again
//   "pid N\n"                        the engine's process on the host
//   "exit CODE\n" and then, up to the end, the last bytes of the engine's output
// With --direct PROGRAM is the engine itself, started in FOLDER, else a bwrap that is told
// --info-fd 5 and, where make_syscall_filter() works, --seccomp 6.
#pragma once

#include <cstddef>

#include "base/time.hpp"

namespace idlewatt::engine {

inline constexpr int guard_heartbeat_fd = 3;
inline constexpr int guard_report_fd = 4;
inline constexpr int guard_info_fd = 5;
inline constexpr int guard_filter_fd = 6;
inline constexpr base::Duration heartbeat_period = base::milliseconds(250);
inline constexpr base::Duration heartbeat_silence_max = base::seconds(1);
static_assert(heartbeat_period * 3 < heartbeat_silence_max);
inline constexpr std::size_t guard_output_bytes_kept = 4096;

}  // namespace idlewatt::engine
