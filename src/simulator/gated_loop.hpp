// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The loop of one simulated process, which can be stopped like a process by SIGSTOP: nothing runs
// in it while stopped, and everything that fell due meanwhile runs at once when it goes on.
//
// Lifecycle: one per process; destruction is the process's death, nothing of it runs any more.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "base/loop.hpp"

namespace idlewatt::simulator {

class GatedLoop final : public base::Loop {
public:
    explicit GatedLoop(base::Loop& below) : below_(below) {}
    ~GatedLoop() override;

    GatedLoop(const GatedLoop&) = delete;
    GatedLoop& operator=(const GatedLoop&) = delete;

    void stop() { stopped_ = true; }
    void go_on();
    [[nodiscard]] bool stopped() const { return stopped_; }
    // It goes on, but has not yet heard of everything that happened meanwhile.
    [[nodiscard]] bool behind() const { return stopped_ || catching_up_; }
    // From outside the process: now, or when it goes on.
    void enter(Task task);

    [[nodiscard]] base::Instant now() const override { return below_.now(); }
    [[nodiscard]] base::WallTime wall_now() const override { return below_.wall_now(); }
    void post(Task task) override { after(base::Duration{}, std::move(task)); }
    base::TimerId after(base::Duration delay, Task task) override;
    void cancel(base::TimerId timer) override;

private:
    base::Loop& below_;
    bool stopped_ = false;
    bool catching_up_ = false;
    std::uint64_t next_ = 1;
    std::map<std::uint64_t, base::TimerId> waiting_;      // ours, the one below
    std::deque<std::pair<std::uint64_t, Task>> backlog_;  // due while stopped
};

}  // namespace idlewatt::simulator
