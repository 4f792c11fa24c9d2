// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A program started by us and watched on the loop: its end is noticed at once and reaped at once.
//
// Lifecycle: spawn() starts it; on_exit runs once when it has ended; destruction kills it (SIGKILL)
// and waits for its end without a callback. It has a process group of its own: signals of the
// terminal do not reach it. Threads: the loop's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/asio_loop.hpp"
#include "base/result.hpp"

namespace idlewatt::base {

struct SpawnOptions {
    std::vector<std::string> argv;  // argv[0] is looked for on PATH
    // Added to (or replacing) the parent's environment. The place for secrets; argv is not.
    std::vector<std::pair<std::string, std::string>> environment{};
    // Descriptors that the child gets under the given numbers; all others are closed.
    std::vector<std::pair<int, int>> descriptors{};  // child's number, ours
    std::string output_file{};                       // stdout and stderr appended; empty: inherited
    bool dies_with_parent = true;                    // SIGKILL when the parent's process ends
};

class ChildProcess {
public:
    // Exit code as a shell gives it: 0..255, or 128 + signal.
    using OnExit = std::function<void(int code)>;

    [[nodiscard]] static Result<std::unique_ptr<ChildProcess>> spawn(AsioLoop& loop,
                                                                     const SpawnOptions& options,
                                                                     OnExit on_exit);
    ~ChildProcess();

    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    [[nodiscard]] int pid() const;
    // No effect once it has ended. Uses a pidfd: never hits a stranger with a reused number.
    void signal(int number);

private:
    struct Implementation;
    explicit ChildProcess(std::unique_ptr<Implementation> impl);
    std::unique_ptr<Implementation> impl_;
};

}  // namespace idlewatt::base
