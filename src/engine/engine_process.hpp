// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One run of the engine: guard, sandbox and llama-server, from start to the certain end. Knows
// nothing of HTTP.
//
// Lifecycle: start() → pid known → (kill() | ends by itself) → on_gone once, when no process of the
// sandbox exists any more → on_end once, when the guard has cleaned up too. Destruction kills and
// waits. Threads: the loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "engine/llama_server_engine.hpp"

namespace idlewatt::engine {

struct EngineEnd {
    int code = 0;        // 128 + signal, as a shell gives it; -1 if the guard itself was ended
    std::string output;  // the last lines
};

class EngineProcess {
public:
    // Makes the folders, removes what an earlier run left, starts the guard.
    [[nodiscard]] static base::Result<std::unique_ptr<EngineProcess>> start(
        base::AsioLoop& loop, const LlamaServerOptions& options, std::function<void()> on_gone,
        std::function<void(EngineEnd)> on_end);
    ~EngineProcess();

    EngineProcess(const EngineProcess&) = delete;
    EngineProcess& operator=(const EngineProcess&) = delete;

    // SIGKILL; on_gone follows in milliseconds.
    void kill();
    // The engine has loaded: from now on it runs only when nothing else wants the processor (or,
    // where we could not raise it again to end it quickly, with the least share).
    void settle();

    // Short enough for a socket address however deep the folder lies.
    [[nodiscard]] const std::string& socket_path() const;
    [[nodiscard]] bool memory_is_limited() const;  // by the kernel; else watch resident_bytes()

    [[nodiscard]] base::Duration cpu_time() const;
    // Grows while the process runs or waits for a processor; stands still when it hangs.
    [[nodiscard]] std::uint64_t progress_ns() const;
    [[nodiscard]] bool stopped() const;  // by a signal
    [[nodiscard]] std::uint64_t resident_bytes() const;

private:
    struct Implementation;
    explicit EngineProcess(std::unique_ptr<Implementation> impl);
    std::unique_ptr<Implementation> impl_;
};

}  // namespace idlewatt::engine
