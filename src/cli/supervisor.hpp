// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Keeps one program running: starts it again when it ends, at once, later with back-off if it keeps
// ending. For fleets on one machine; on many machines the init system does this.
//
// Lifecycle: start(); stop() asks it to end (SIGTERM); destruction kills it. Threads: the loop's.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/asio_loop.hpp"
#include "base/child_process.hpp"

namespace idlewatt::cli {

// Ending this often within this time is a pattern: from then on restarts wait.
inline constexpr std::size_t quick_restarts_max = 5;
inline constexpr base::Duration quick_restarts_window = base::seconds(10);
inline constexpr base::Duration restart_pause = base::seconds(2);

class Supervisor {
public:
    // The options are asked for at each start, so that a restart may differ.
    Supervisor(base::AsioLoop& loop, std::string name,
               std::function<base::SpawnOptions()> make_options);
    ~Supervisor();

    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    [[nodiscard]] base::Result<void> start();
    // No restart from now on; true once it has ended.
    void stop();
    [[nodiscard]] bool ended() const { return child_ == nullptr; }

    [[nodiscard]] int pid() const { return child_ ? child_->pid() : 0; }
    void signal(int number);
    [[nodiscard]] std::uint64_t restarts() const { return restarts_; }

private:
    void on_exit(int code);
    void restart();

    base::AsioLoop& loop_;
    std::string name_;
    std::function<base::SpawnOptions()> make_options_;
    std::unique_ptr<base::ChildProcess> child_;
    std::deque<base::Instant> exits_;
    base::TimerId timer_{};
    bool stopping_ = false;
    std::uint64_t restarts_ = 0;
};

}  // namespace idlewatt::cli
