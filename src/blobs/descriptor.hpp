// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// An open file that closes itself. Only for the sources of this module.
#pragma once

#include <utility>

#include <unistd.h>

namespace idlewatt::blobs {

class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor() {
        if (fd_ >= 0)
            ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

}  // namespace idlewatt::blobs
