// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The one thread of control of a role: tasks, timers and the clocks. Everything that a role or an
// edge's callback does happens inside a task of its loop, so roles need no locks.
//
// Lifecycle: outlives everything that posts to it. Threads: only post() may be called from a
// foreign thread; all other members belong to the loop's own thread.
#pragma once

#include <cstdint>
#include <functional>

#include "base/time.hpp"

namespace idlewatt::base {

enum class TimerId : std::uint64_t {};

class Loop {
public:
    using Task = std::function<void()>;

    virtual ~Loop() = default;

    // Monotonic; does not advance while one task runs in the simulated loop.
    [[nodiscard]] virtual Instant now() const = 0;
    [[nodiscard]] virtual WallTime wall_now() const = 0;

    // Runs the task later, in order of posting. Any thread.
    virtual void post(Task task) = 0;

    // Runs the task once, not earlier than after the delay. Never runs it inside this call.
    virtual TimerId after(Duration delay, Task task) = 0;

    // No effect on a timer that has fired or is unknown.
    virtual void cancel(TimerId timer) = 0;
};

}  // namespace idlewatt::base
