// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The command line that runs llama-server apart from everything else on the machine.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/llama_server_engine.hpp"

namespace idlewatt::engine {

struct EngineCommand {
    std::vector<std::string> argv;
    // Without sandbox, as IDLEWATT_ENGINE_SANDBOX=off demands: where to start the engine itself.
    std::string direct_folder{};
};

// socket_dir: the host's folder in which the engine makes engine.sock.
[[nodiscard]] base::Result<EngineCommand> engine_command(const LlamaServerOptions& options,
                                                         const std::string& socket_dir);

inline constexpr const char* engine_socket_name = "engine.sock";

}  // namespace idlewatt::engine
