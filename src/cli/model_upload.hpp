// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Brings a model into a cell: its header is read, its bytes are hashed and sent to the coordinator,
// going on where an earlier try ended, and then it is registered. Runs the loop while it waits.
#pragma once

#include <cstdint>
#include <string>

#include "base/asio_loop.hpp"
#include "cli/connection.hpp"
#include "cli/progress.hpp"
#include "core/model.hpp"

namespace idlewatt::cli {

// Tries without a new byte before it is given up, and the pause between two.
inline constexpr int upload_failures_max = 8;
inline constexpr base::Duration upload_retry = base::seconds(1);
// A coordinator that takes nothing for this long is gone.
inline constexpr base::Duration upload_silence_max = base::seconds(60);

// Name (empty: the header's, or the file's), hash and figures of a file. Reads all of it.
[[nodiscard]] base::Result<core::Model> describe_model(base::AsioLoop& loop,
                                                       const std::string& path,
                                                       const std::string& name, std::ostream& err,
                                                       ProgressStyle style);

// The error names what the coordinator said.
[[nodiscard]] base::Result<void> upload_blob(base::AsioLoop& loop, const Connection& connection,
                                             const std::string& path, const core::Model& model,
                                             Progress& progress);
// All of it; the row that the coordinator has now.
[[nodiscard]] base::Result<core::Model> add_model(base::AsioLoop& loop,
                                                  const Connection& connection,
                                                  const std::string& path, core::Model model,
                                                  std::ostream& err, ProgressStyle style);

}  // namespace idlewatt::cli
