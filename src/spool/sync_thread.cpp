// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "spool/sync_thread.hpp"

#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "base/log.hpp"

namespace idlewatt::spool {

void SyncThread::ask(int fd) {
    {
        const std::lock_guard lock(mutex_);
        wanted_ = base::Descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    }
    changed_.notify_one();
    if (!thread_.joinable())
        thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void SyncThread::run(const std::stop_token& stop) {
    for (;;) {
        base::Descriptor file;
        {
            std::unique_lock lock(mutex_);
            if (!changed_.wait(lock, stop, [this] { return wanted_.get() >= 0; }))
                return;
            file = std::exchange(wanted_, base::Descriptor());
        }
        if (::fdatasync(file.get()) != 0)
            base::log_error("spool", path_ + ": cannot sync");
    }
}

}  // namespace idlewatt::spool
