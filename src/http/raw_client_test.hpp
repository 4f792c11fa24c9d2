// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A socket without manners, for tests of the real server: sends what it is told, byte by byte if
// need be, and shows what came. Same thread as the server's loop, so it never blocks.
#pragma once

#include <cerrno>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/asio_loop.hpp"

namespace idlewatt::http {

// Tests with hundreds of connections have both ends in one process.
inline void allow_many_descriptors() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

inline bool run_loop_until(base::AsioLoop& loop, const std::function<bool()>& condition) {
    const base::Instant end = loop.now() + base::seconds(60);
    while (!condition()) {
        if (loop.now() > end) {
            return false;
        }
        loop.run_for(base::microseconds(200));
    }
    return true;
}

class RawClient {
public:
    explicit RawClient(std::uint16_t port)
        : fd_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
    ~RawClient() { hang_up(); }
    RawClient(RawClient&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)),
          received_(std::move(other.received_)),
          ended_(other.ended_),
          reset_(other.reset_) {}
    RawClient& operator=(RawClient&& other) noexcept {
        std::swap(fd_, other.fd_);
        std::swap(received_, other.received_);
        std::swap(ended_, other.ended_);
        std::swap(reset_, other.reset_);
        return *this;
    }

    // What the kernel takes; the rest is the caller's.
    std::size_t send(std::string_view bytes) {
        const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        return count < 0 ? 0 : static_cast<std::size_t>(count);
    }
    void end_sending() { shutdown(fd_, SHUT_WR); }
    void hang_up() {
        if (fd_ >= 0) {
            close(std::exchange(fd_, -1));
        }
    }
    void reset() {
        const linger at_once{1, 0};
        setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        hang_up();
    }
    void shrink_receive_buffer() {
        const int size = 64 * 1024;
        setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }

    // Takes in what is there.
    const std::string& received() {
        char buffer[16 * 1024];
        while (!ended_) {
            const ssize_t count = recv(fd_, buffer, sizeof buffer, 0);
            if (count > 0) {
                received_.append(buffer, static_cast<std::size_t>(count));
            } else if (count == 0 || (errno != EAGAIN && errno != ENOTCONN)) {
                reset_ = count < 0;
                ended_ = true;
            } else {
                break;
            }
        }
        return received_;
    }
    bool ended() {
        received();
        return ended_;
    }
    [[nodiscard]] bool was_reset() const { return reset_; }
    [[nodiscard]] int descriptor() const { return fd_; }

private:
    int fd_;
    std::string received_;
    bool ended_ = false;
    bool reset_ = false;
};

}  // namespace idlewatt::http
