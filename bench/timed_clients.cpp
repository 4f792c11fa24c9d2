// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "timed_clients.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/http_response.hpp"

namespace idlewatt {

namespace {

constexpr int silence_max_ms = 60'000;
constexpr int tries_max = 3;  // a kept connection may be closed the moment that it is used again
constexpr std::string_view piece_mark = R"("content":")";
constexpr std::string_view usage_mark = R"("completion_tokens":)";
constexpr std::string_view end_mark = "[DONE]";

int connect_to(const Door& door) {
    const bool local = !door.socket_path.empty();
    const int fd = ::socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int done = -1;
    if (local) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        door.socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
        done = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    } else {
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(door.port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        done = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    if (done == 0)
        return fd;
    ::close(fd);
    return -1;
}

class Asker {
public:
    Asker(const base::Loop& clock, const TimedClient& client, std::vector<TimedAnswer>& answers)
        : clock_(clock), client_(client), answers_(answers) {
        ask();
    }
    ~Asker() { hang_up(); }
    Asker(const Asker&) = delete;
    Asker& operator=(const Asker&) = delete;

    [[nodiscard]] int fd() const { return done_ ? -1 : fd_; }

    void read() {
        std::array<char, 64 * 1024> buffer{};
        const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        const base::Instant now = clock_.now();
        if (size <= 0) {
            hang_up();
            if (!heard_ && ++tries_ < tries_max)
                return ask();
            return end("the connection broke");
        }
        heard_ = true;
        std::string body;
        const auto fed = response_.feed({buffer.data(), static_cast<std::size_t>(size)}, body);
        take(body, now);
        if (!fed)
            return end(fed.error().message);
        if (response_.complete()) {
            const bool good = response_.status() == 200 && whole_;
            end(good ? std::string() : std::to_string(response_.status()) + ": " + pending_);
        }
    }

    void give_up() {
        hang_up();
        end("silence");
    }

private:
    void ask() {
        if (number_ == client_.bodies.size()) {
            done_ = true;
            return;
        }
        answer_ = {};
        response_ = {};
        pending_.clear();
        heard_ = whole_ = false;
        const std::string& body = client_.bodies[number_];
        std::string request =
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
            "content-type: application/json\r\n";
        if (!client_.door.api_key.empty())
            request += "authorization: Bearer " + client_.door.api_key + "\r\n";
        request += "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        if (fd_ < 0)
            fd_ = connect_to(client_.door);
        answer_.asked_at = clock_.now();
        const ssize_t sent = ::send(fd_, request.data(), request.size(), MSG_NOSIGNAL);
        if (sent == static_cast<ssize_t>(request.size()))
            return;
        hang_up();
        if (++tries_ < tries_max)
            return ask();
        end("cannot be reached");
    }

    void take(std::string_view body, base::Instant now) {
        pending_ += body;
        std::size_t begin = 0;
        for (;;) {
            const std::size_t end = pending_.find('\n', begin);
            if (end == std::string::npos)
                break;
            take_line(std::string_view(pending_).substr(begin, end - begin), now);
            begin = end + 1;
        }
        if (response_.status() == 200)
            pending_.erase(0, begin);
    }

    void take_line(std::string_view line, base::Instant now) {
        const std::size_t piece = line.find(piece_mark);
        if (piece != std::string_view::npos && line.substr(piece + piece_mark.size(), 1) != "\"") {
            if (answer_.first_at == base::Instant{})
                answer_.first_at = now;
            answer_.last_at = now;
        }
        const std::size_t usage = line.find(usage_mark);
        if (usage != std::string_view::npos) {
            answer_.tokens =
                static_cast<std::uint32_t>(std::atoi(line.data() + usage + usage_mark.size()));
        }
        whole_ = whole_ || line.find(end_mark) != std::string_view::npos;
    }

    void end(std::string failure) {
        answer_.failure = std::move(failure);
        const bool failed = !answer_.failure.empty();
        answers_.push_back(std::move(answer_));
        tries_ = 0;
        if (failed) {
            done_ = true;
            return;
        }
        ++number_;
        ask();
    }

    void hang_up() {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = -1;
    }

    const base::Loop& clock_;
    const TimedClient& client_;
    std::vector<TimedAnswer>& answers_;
    int fd_ = -1;
    int tries_ = 0;
    std::size_t number_ = 0;
    bool done_ = false;
    bool heard_ = false;
    bool whole_ = false;
    engine::HttpResponse response_;
    std::string pending_;
    TimedAnswer answer_;
};

}  // namespace

std::vector<TimedAnswer> ask_all(const base::Loop& clock, const std::vector<TimedClient>& clients) {
    std::vector<TimedAnswer> answers;
    std::vector<std::unique_ptr<Asker>> askers;
    for (const TimedClient& client : clients)
        askers.push_back(std::make_unique<Asker>(clock, client, answers));
    std::vector<pollfd> fds(askers.size());
    for (;;) {
        bool open = false;
        for (std::size_t i = 0; i < askers.size(); ++i) {
            fds[i] = {askers[i]->fd(), POLLIN, 0};
            open = open || fds[i].fd >= 0;
        }
        if (!open)
            return answers;
        const int ready = ::poll(fds.data(), fds.size(), silence_max_ms);
        for (std::size_t i = 0; i < askers.size(); ++i) {
            if (fds[i].revents != 0)
                askers[i]->read();
            else if (ready == 0 && fds[i].fd >= 0)
                askers[i]->give_up();
        }
    }
}

}  // namespace idlewatt
