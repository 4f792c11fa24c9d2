// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A thread that does one thing after the other, so that the loop never waits for a disk. Only for
// the sources of this module.
//
// Lifecycle: destruction drops what has not begun and waits for what has. Threads: do_later() from
// any; the tasks run on the worker's.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace idlewatt::blobs {

class Worker {
public:
    Worker();
    ~Worker();

    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void do_later(std::function<void()> task);

private:
    void work();

    std::mutex mutex_;
    std::condition_variable changed_;
    bool closing_ = false;                     // guarded by mutex_
    std::deque<std::function<void()>> queue_;  // guarded by mutex_
    std::thread thread_;
};

}  // namespace idlewatt::blobs
