// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Syncs a file beside the loop that writes it: a disk may take milliseconds, in which no question
// would be answered. Internal to the module.
//
// Lifecycle: the thread begins with the first ask(); destruction waits for what
// was asked. Threads: ask() by one thread. Errors are logged.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "base/descriptor.hpp"

namespace idlewatt::spool {

class SyncThread {
public:
    explicit SyncThread(std::string path) : path_(std::move(path)) {}

    // What was written to the file until now. Asked again before it has begun, it is done once.
    void ask(int fd);

private:
    void run(const std::stop_token& stop);

    const std::string path_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    base::Descriptor wanted_;  // of its own: the file may be replaced meanwhile
    std::jthread thread_;      // last: it uses the others
};

}  // namespace idlewatt::spool
