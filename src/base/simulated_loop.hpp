// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A loop on simulated time: tasks and timers run in one order given by time and posting, so a run
// is a function of its inputs. One SimulatedLoop can carry many roles at once.
#pragma once

#include <functional>
#include <map>
#include <utility>

#include "base/loop.hpp"

namespace idlewatt::base {

class SimulatedLoop final : public Loop {
public:
    explicit SimulatedLoop(WallTime start = WallTime{1'790'000'000'000'000}) : start_(start) {}

    // Runs everything due up to the given point and moves the clock there.
    void run_until(Instant end);
    void run_for(Duration span) { run_until(now_ + span); }
    // Runs the next task, if any, moving the clock to it.
    bool run_one();
    // True if the condition came true before the time was over.
    bool run_while_not(const std::function<bool()>& condition, Duration limit);

    // Since the beginning.
    [[nodiscard]] std::uint64_t tasks_run() const { return tasks_run_; }

    [[nodiscard]] Instant now() const override { return now_; }
    [[nodiscard]] WallTime wall_now() const override { return start_ + (now_ - Instant{}); }
    void post(Task task) override { after(Duration{}, std::move(task)); }
    TimerId after(Duration delay, Task task) override;
    void cancel(TimerId timer) override;

private:
    using Key = std::pair<std::int64_t, std::uint64_t>;  // time, then order of posting

    WallTime start_;
    Instant now_{};
    std::uint64_t next_ = 1;
    std::uint64_t tasks_run_ = 0;
    std::map<Key, Task> tasks_;
    std::map<std::uint64_t, Key> timers_;
};

}  // namespace idlewatt::base
