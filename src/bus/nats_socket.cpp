// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <netdb.h>

namespace idlewatt::bus {

namespace {

constexpr std::size_t sealed_read_bytes = 16 * 1024;
// As much is sealed at a time: what the socket does not take at once is held a second time.
constexpr std::size_t sealed_write_bytes = 256 * 1024;

using SocketClock = NatsSocket::Clock;

bool wait_for(int descriptor, short events, SocketClock::time_point deadline) {
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - SocketClock::now());
        pollfd waiting{descriptor, events, 0};
        const int found = ::poll(
            &waiting, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000)));
        if (found > 0)
            return true;
        if ((found == 0 && SocketClock::now() >= deadline) || (found < 0 && errno != EINTR))
            return false;
    }
}

// What has gone wrong, or nothing.
std::optional<std::string> connect_within(int descriptor, const addrinfo& to,
                                          SocketClock::time_point deadline) {
    if (::connect(descriptor, to.ai_addr, to.ai_addrlen) == 0)
        return std::nullopt;
    if (errno != EINPROGRESS)
        return std::strerror(errno);
    if (!wait_for(descriptor, POLLOUT, deadline))
        return "no answer in time";
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return std::strerror(errno);
    if (error != 0)
        return std::strerror(error);
    return std::nullopt;
}

IoResult result_of(ssize_t count) {
    if (count > 0)
        return {IoState::moved, static_cast<std::size_t>(count)};
    const bool later = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    return {later ? IoState::blocked : IoState::ended, 0};
}

IoResult send_to(int descriptor, std::string_view bytes) {
    return result_of(::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

}  // namespace

void NatsHost::Free::operator()(addrinfo* found) const {
    ::freeaddrinfo(found);
}

base::Result<NatsHost> NatsHost::look_up(const NatsAddress& address) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found);
    if (code != 0) {
        return base::fail(base::ErrorKind::unavailable,
                          "cannot find " + address.host + ": " + ::gai_strerror(code));
    }
    return NatsHost(found);
}

int NatsHost::count() const {
    int count = 0;
    for (const addrinfo* at = first(); at != nullptr; at = at->ai_next)
        ++count;
    return count;
}

base::Result<NatsSocket> NatsSocket::connect(const NatsHost& host, Clock::time_point deadline) {
    std::string why = "no address";
    int others = host.count();
    for (const addrinfo* to = host.first(); to != nullptr; to = to->ai_next, --others) {
        base::Descriptor descriptor(
            ::socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (descriptor.get() < 0) {
            why = std::strerror(errno);
            continue;
        }
        const auto now = Clock::now();
        const auto failure = connect_within(descriptor.get(), *to, now + (deadline - now) / others);
        if (failure) {
            why = *failure;
            continue;
        }
        const int yes = 1;
        static_cast<void>(
            ::setsockopt(descriptor.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes));
        return NatsSocket(std::move(descriptor));
    }
    return base::fail(base::ErrorKind::unavailable, "cannot connect: " + why);
}

base::Result<void> NatsSocket::secure(const std::string& host, const std::string& ca_file,
                                      Clock::time_point deadline) {
    auto tls = NatsTls::create(host, ca_file);
    if (!tls)
        return tl::unexpected(tls.error());
    tls_ = std::move(*tls);
    for (;;) {
        const auto done = tls_->shake_hands();
        const IoState sent = flush();  // also of the last words of a failure
        if (!done)
            return tl::unexpected(done.error());
        if (sent == IoState::moved && *done)
            return {};
        const Want want = sent == IoState::blocked ? Want::write : Want::read;
        if (sent == IoState::ended || !wait(want, deadline))
            return base::fail(base::ErrorKind::unavailable, "SSL: no answer in time");
        if (want == Want::read && read_sealed().state == IoState::ended)
            return base::fail(base::ErrorKind::unavailable, "SSL: the server ended the connection");
    }
}

IoResult NatsSocket::read_sealed() {
    std::array<char, sealed_read_bytes> bytes;
    const IoResult result = result_of(::recv(descriptor_.get(), bytes.data(), bytes.size(), 0));
    if (result.state == IoState::moved)
        tls_->receive({bytes.data(), result.count});
    return result;
}

IoResult NatsSocket::read(std::span<char> place) {
    if (!tls_)
        return result_of(::recv(descriptor_.get(), place.data(), place.size(), 0));
    for (;;) {
        const IoResult opened = tls_->read(place);
        if (opened.state != IoState::blocked)
            return opened;
        const IoResult sealed = read_sealed();
        if (sealed.state != IoState::moved)
            return sealed;
    }
}

IoResult NatsSocket::write(std::string_view bytes) {
    if (!tls_)
        return send_to(descriptor_.get(), bytes);
    const IoState state = flush();
    if (state != IoState::moved)
        return {state, 0};
    bytes = bytes.substr(0, sealed_write_bytes);
    if (!tls_->write(bytes))
        return {IoState::ended, 0};
    return {flush() == IoState::ended ? IoState::ended : IoState::moved, bytes.size()};
}

IoState NatsSocket::flush() {
    if (tls_)
        tls_->take_sealed(sealed_);
    std::size_t sent = 0;
    IoState state = IoState::moved;
    while (sent < sealed_.size() && state == IoState::moved) {
        const IoResult result = send_to(descriptor_.get(), std::string_view(sealed_).substr(sent));
        state = result.state;
        sent += result.count;
    }
    sealed_.erase(0, sent);
    return state;
}

bool NatsSocket::write_all(std::string_view bytes, Clock::time_point deadline) {
    for (;;) {
        IoState state = IoState::moved;
        if (!bytes.empty()) {
            const IoResult result = write(bytes);
            bytes.remove_prefix(result.count);
            state = result.state;
        }
        if (state == IoState::moved)
            state = flush();
        if (state == IoState::moved && bytes.empty())
            return true;
        if (state == IoState::ended)
            return false;
        if (state == IoState::blocked && !wait(Want::write, deadline))
            return false;
    }
}

bool NatsSocket::wait(Want want, Clock::time_point deadline) const {
    return wait_for(descriptor_.get(), want == Want::read ? POLLIN : POLLOUT, deadline);
}

void NatsSocket::end_writing() {
    if (tls_) {
        tls_->end();
        static_cast<void>(flush());
    }
    ::shutdown(descriptor_.get(), SHUT_WR);
}

}  // namespace idlewatt::bus
