// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Whether the engine on this machine can what Idlewatt needs, tried once for each engine that the
// set-up has brought (about 2 s), remembered in the cache folder. What it cannot is said; whoever
// asks goes on all the same, since answers then only resume less exactly, or not at all.
#pragma once

#include <string>

#include "base/asio_loop.hpp"

namespace idlewatt::cli {

inline constexpr base::Duration engine_check_max = base::seconds(30);

// Runs the loop meanwhile. The folder takes the check's output.
void check_engine_once(base::AsioLoop& loop, const std::string& agent_program,
                       const std::string& folder);

}  // namespace idlewatt::cli
