// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "stream_clients.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <new>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace idlewatt {

namespace {

// As many connections may be under way before answers are read: no storm of them.
constexpr long opened_at_once = 16;
constexpr std::string_view good_head = "HTTP/1.1 200";
constexpr std::string_view piece_mark = R"("delta":{"content":")";
constexpr std::string_view end_mark = "data: [DONE]";

struct Order {
    std::uint16_t port = 0;
    long max_tokens = 0;
    std::array<char, 128> api_key{};
};

struct Stream {
    int fd = -1;
    bool had_token = false;
    bool whole = false;
    std::string head;  // until it is long enough to judge
    std::string tail;  // a mark may come in two parts
};

void count_marks(Stream& stream, std::string_view bytes, StreamFigures& figures) {
    if (stream.head.size() < good_head.size())
        stream.head += bytes.substr(0, good_head.size() - stream.head.size());
    std::string text = stream.tail;
    text += bytes;
    std::size_t kept_from = 0;
    for (std::size_t at = text.find(piece_mark); at != std::string::npos;
         at = text.find(piece_mark, kept_from)) {
        kept_from = at + piece_mark.size();
        ++figures.pieces;
        if (!stream.had_token)
            ++figures.running;
        stream.had_token = true;
    }
    stream.whole = stream.whole || text.find(end_mark) != std::string::npos;
    const std::size_t longest = piece_mark.size() - 1;
    kept_from = std::max(kept_from, text.size() - std::min(text.size(), longest));
    stream.tail = text.substr(kept_from);
}

class Reader {
public:
    Reader(const Order& order, long streams, StreamFigures& figures)
        : order_(order), figures_(figures), poll_(epoll_create1(EPOLL_CLOEXEC)) {
        streams_.resize(static_cast<std::size_t>(streams));
    }

    [[noreturn]] void run() {
        std::vector<epoll_event> events(streams_.size());
        std::size_t opened = 0;
        for (;;) {
            for (long n = 0; n < opened_at_once && opened < streams_.size(); ++n)
                open(opened++);
            const int wait_ms = opened < streams_.size() ? 1 : 1000;
            const int ready =
                epoll_wait(poll_, events.data(), static_cast<int>(events.size()), wait_ms);
            for (int i = 0; i < ready; ++i)
                read(streams_[events[static_cast<std::size_t>(i)].data.u64]);
        }
    }

private:
    void open(std::size_t number) {
        Stream& stream = streams_[number];
        stream.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(order_.port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (connect(stream.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            return end(stream);
        ++figures_.connected;
        const std::string body =
            R"({"model":"memory","stream":true,"max_tokens":)" + std::to_string(order_.max_tokens) +
            R"(,"messages":[{"role":"user","content":"Tell me all about the number )" +
            std::to_string(number) + R"(."}]})";
        const std::string request =
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
            "content-type: application/json\r\nauthorization: Bearer " +
            std::string(order_.api_key.data()) +
            "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        if (send(stream.fd, request.data(), request.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(request.size()))
            return end(stream);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = number;
        epoll_ctl(poll_, EPOLL_CTL_ADD, stream.fd, &event);
    }

    void read(Stream& stream) {
        const ssize_t count = recv(stream.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (count > 0)
            count_marks(stream, {buffer_.data(), static_cast<std::size_t>(count)}, figures_);
        if (count <= 0 || stream.whole)
            end(stream);
    }

    void end(Stream& stream) {
        if (stream.had_token)
            --figures_.running;
        if (stream.whole && stream.head == good_head)
            ++figures_.whole;
        else
            ++figures_.failed;
        close(stream.fd);
    }

    const Order order_;
    StreamFigures& figures_;
    const int poll_;
    std::vector<Stream> streams_;
    std::array<char, 64 * 1024> buffer_{};
};

}  // namespace

StreamClients::StreamClients(long streams) {
    void* const shared = mmap(nullptr, sizeof(StreamFigures), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ends[2] = {-1, -1};
    if (shared == MAP_FAILED || pipe(ends) != 0)
        std::abort();
    figures_ = new (shared) StreamFigures;  // tidy: allow(raw_new) in memory that two processes see
    pid_ = fork();
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[1]);
        Order order;
        if (::read(ends[0], &order, sizeof order) == static_cast<ssize_t>(sizeof order))
            Reader(order, streams, *figures_).run();
        _exit(0);
    }
    close(ends[0]);
    order_ = ends[1];
}

StreamClients::~StreamClients() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(order_);
    munmap(figures_, sizeof *figures_);
}

void StreamClients::ask(std::uint16_t port, const std::string& api_key, long max_tokens) {
    Order order;
    order.port = port;
    order.max_tokens = max_tokens;
    api_key.copy(order.api_key.data(), order.api_key.size() - 1);
    if (::write(order_, &order, sizeof order) != static_cast<ssize_t>(sizeof order))
        std::abort();
}

}  // namespace idlewatt
