// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// An unmodified llama-server as a supervised child in a Bubblewrap sandbox: no network, read-only
// model, memory-only file system, no capabilities, lowest CPU and I/O priority, memory limit. A
// guard process beside it ends it within a second when the agent hangs or dies.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/asio_loop.hpp"
#include "engine/engine.hpp"

namespace idlewatt::engine {

struct LlamaServerOptions {
    std::string model_path;  // GGUF
    std::string model_name;  // as announced
    // Folder that becomes the sandbox's /usr's parent: the engine bundle. Empty: llama-server and
    // libraries of the system.
    std::string bundle_dir;
    // A folder of our own on the host (mode 0700) for the socket and the pid file.
    std::string run_dir;
    // The program that is started as the guard: argv[0] of an executable that calls guard_main()
    // for its first argument "engine-guard".
    std::string guard_program;
    std::uint32_t slots = 2;
    std::uint32_t context_tokens_per_slot = 2048;
    std::uint32_t threads = 1;
    std::uint64_t memory_bytes_max = 0;  // 0: twice the model's size plus 1 GiB
    // Every byte read from and written to the engine's socket is appended here; empty: no tap.
    std::string tap_path;
    // Tokens that come quicker than anybody reads are said some at a time (llama_stream.hpp).
    bool gathers = false;
};

[[nodiscard]] std::unique_ptr<Engine> make_llama_server_engine(base::AsioLoop& loop,
                                                               LlamaServerOptions options);

// Where the engine comes from: environment IDLEWATT_ENGINE_BUNDLE, else the bundle that the set-up
// unpacked, else llama-server on PATH (bundle_dir empty).
[[nodiscard]] base::Result<std::string> find_engine_bundle();

// The guard's whole program: "engine-guard …". Starts the sandbox, ends it when the agent's pipe
// closes or its heartbeat is silent for a second, reports the engine's pid and exit.
[[nodiscard]] int guard_main(int argc, char** argv);

}  // namespace idlewatt::engine
