// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The car's edges joined with its role, until SIGTERM.
#pragma once

#include "agent_enrol.hpp"
#include "agent_options.hpp"
#include "base/asio_loop.hpp"

namespace idlewatt {

// The exit code.
[[nodiscard]] int run_agent(base::AsioLoop& loop, const CarOptions& options, const Place& place);

}  // namespace idlewatt
