// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/channel.hpp"

#include <cerrno>
#include <system_error>

#include <sys/socket.h>

namespace idlewatt::http {

namespace {

class PlainChannel final : public Channel {
public:
    explicit PlainChannel(int socket) : socket_(socket) {}

    IoResult read(char* place, std::size_t count) override {
        return result(::recv(socket_, place, count, 0), IoState::wants_read);
    }
    IoResult write(const char* bytes, std::size_t count) override {
        return result(::send(socket_, bytes, count, MSG_NOSIGNAL), IoState::wants_write);
    }
    [[nodiscard]] bool holds_input() const override { return false; }
    void end_sending() override {}
    [[nodiscard]] const base::Error& failure() const override { return failure_; }

private:
    IoResult result(ssize_t count, IoState blocked) {
        if (count > 0) {
            return {IoState::moved, static_cast<std::size_t>(count)};
        }
        if (count == 0) {
            return {IoState::ended, 0};
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
            return {blocked, 0};
        }
        failure_ = {base::ErrorKind::unavailable, std::generic_category().message(errno)};
        return {IoState::failed, 0};
    }

    int socket_;
    base::Error failure_;
};

}  // namespace

std::unique_ptr<Channel> plain_channel(int socket) {
    return std::make_unique<PlainChannel>(socket);
}

}  // namespace idlewatt::http
