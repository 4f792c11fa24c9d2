// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/simulated_loop.hpp"

#include <algorithm>

namespace idlewatt::base {

TimerId SimulatedLoop::after(Duration delay, Task task) {
    const std::uint64_t id = next_++;
    const Key key{now_.ns + std::max<std::int64_t>(delay.ns, 0), id};
    tasks_.emplace(key, std::move(task));
    timers_.emplace(id, key);
    return TimerId{id};
}

void SimulatedLoop::cancel(TimerId timer) {
    const auto found = timers_.find(static_cast<std::uint64_t>(timer));
    if (found == timers_.end())
        return;
    tasks_.erase(found->second);
    timers_.erase(found);
}

bool SimulatedLoop::run_one() {
    if (tasks_.empty())
        return false;
    auto first = tasks_.extract(tasks_.begin());
    timers_.erase(first.key().second);
    now_ = Instant{std::max(now_.ns, first.key().first)};
    ++tasks_run_;
    first.mapped()();
    return true;
}

void SimulatedLoop::run_until(Instant end) {
    while (!tasks_.empty() && tasks_.begin()->first.first <= end.ns)
        run_one();
    now_ = std::max(now_, end);
}

bool SimulatedLoop::run_while_not(const std::function<bool()>& condition, Duration limit) {
    const Instant end = now_ + limit;
    while (!condition()) {
        if (tasks_.empty() || tasks_.begin()->first.first > end.ns) {
            now_ = std::max(now_, end);
            return condition();
        }
        run_one();
    }
    return true;
}

}  // namespace idlewatt::base
