// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Files of batches to the cell and back, of any size in bounded memory. Runs the loop while it
// waits.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/asio_loop.hpp"
#include "cli/connection.hpp"
#include "cli/progress.hpp"

namespace idlewatt::cli {

// A server that takes nothing for this long is gone.
inline constexpr base::Duration batch_silence_max = base::seconds(60);

// POST /v1/files, with the purpose `batch`. An answer of any status; an error: none came.
[[nodiscard]] base::Result<http::Response> upload_batch_file(base::AsioLoop& loop,
                                                             const Connection& connection,
                                                             const std::string& path,
                                                             Progress& progress);

// The body goes to take, which returns false when it can take no more (a full disk); of an answer
// that is not 200 it is in the result instead.
[[nodiscard]] base::Result<http::Response> download(
    base::AsioLoop& loop, const Connection& connection, const std::string& path,
    const std::function<bool(std::string_view bytes)>& take);

// The `url` in the first line of a file of requests; empty: none is there.
[[nodiscard]] base::Result<std::string> endpoint_in(const std::string& path);

}  // namespace idlewatt::cli
