// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_opener.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "bus/patience.hpp"

namespace idlewatt::bus {

// Shared with the thread, which may outlive the opener.
struct NatsOpener::State {
    explicit State(OnOpened told) : on_opened(std::move(told)) {}

    OnOpened on_opened;  // the loop's; empty: nobody listens
    std::thread thread;  // the loop's

    std::mutex mutex;
    std::condition_variable changed;
    // Guarded by the mutex.
    bool stopping = false;
    bool ended = false;

    bool stops_within(base::Duration span) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::nanoseconds(span.ns),
                                [this] { return stopping; });
    }
};

NatsOpener::NatsOpener(base::Loop& loop, Work work, OnOpened on_opened)
    : state_(std::make_shared<State>(std::move(on_opened))) {
    state_->thread = std::thread([state = state_, &loop, work = std::move(work)] {
        const auto opened = std::make_shared<Opened>(
            work([&](base::Duration span) { return state->stops_within(span); }));
        const std::lock_guard lock(state->mutex);
        // Under the lock: once told to stop, the loop may be gone.
        if (!state->stopping) {
            loop.post([state, opened] {
                if (auto told = std::exchange(state->on_opened, nullptr))
                    told(std::move(*opened));
            });
        }
        state->ended = true;
        state->changed.notify_all();
    });
}

NatsOpener::~NatsOpener() {
    state_->on_opened = nullptr;
    std::unique_lock lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
    const bool ended = state_->changed.wait_for(lock, std::chrono::nanoseconds(close_wait.ns),
                                                [this] { return state_->ended; });
    lock.unlock();
    if (ended) {
        state_->thread.join();
    } else {
        state_->thread.detach();
    }
}

}  // namespace idlewatt::bus
