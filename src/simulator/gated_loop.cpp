// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/gated_loop.hpp"

#include <algorithm>
#include <memory>

namespace idlewatt::simulator {

GatedLoop::~GatedLoop() {
    for (const auto& [ours, below] : waiting_)
        below_.cancel(below);
}

void GatedLoop::go_on() {
    stopped_ = false;
    catching_up_ = true;
    while (!stopped_ && !backlog_.empty()) {
        const Task task = std::move(backlog_.front().second);
        backlog_.pop_front();
        task();
    }
    catching_up_ = false;
}

void GatedLoop::enter(Task task) {
    if (stopped_) {
        backlog_.emplace_back(0, std::move(task));
    } else {
        task();
    }
}

base::TimerId GatedLoop::after(base::Duration delay, Task task) {
    const std::uint64_t id = next_++;
    const auto below = below_.after(delay, [this, id, task = std::move(task)] {
        waiting_.erase(id);
        if (stopped_) {
            backlog_.emplace_back(id, task);
        } else {
            task();
        }
    });
    waiting_.emplace(id, below);
    return base::TimerId{id};
}

void GatedLoop::cancel(base::TimerId timer) {
    const auto id = static_cast<std::uint64_t>(timer);
    const auto found = waiting_.find(id);
    if (found != waiting_.end()) {
        below_.cancel(found->second);
        waiting_.erase(found);
        return;
    }
    if (id != 0)
        std::erase_if(backlog_, [id](const auto& entry) { return entry.first == id; });
}

}  // namespace idlewatt::simulator
