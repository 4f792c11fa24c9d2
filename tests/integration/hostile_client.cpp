// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "hostile_client.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "http/message_parser.hpp"

namespace idlewatt::test {

namespace {

using nlohmann::json;

constexpr std::size_t standing_max = 64;
constexpr int answer_ms_max = 60'000;
constexpr std::size_t answer_bytes_max = 64 * 1024 * 1024;

// What is sent within this is not late, however slow the machine.
constexpr std::chrono::milliseconds late_after{http::read_timeout.whole_milliseconds() / 2};
constexpr int status_too_late = 408;

// What the bytes are to a server, judged by the server's own parser.
struct Asked {
    bool answer_due = false;
    bool is_head = false;
    bool more_behind = false;
    http::Headers headers;
};

Asked judge_in_parts(std::string_view bytes, std::size_t first_bytes, std::size_t part_bytes) {
    Asked asked;
    http::RequestParser parser;
    bool limited = false;
    std::size_t taken = 0;
    std::size_t offered = 0;
    while (!parser.done()) {
        const auto progress = parser.feed(bytes.substr(taken, offered - taken));
        taken += progress.taken;
        asked.answer_due = progress.refused != 0;
        if (!asked.answer_due && parser.head_done() && !limited) {
            limited = true;
            // A file may be larger than other bodies: then its rest is waited for.
            const bool too_large = parser.limit_body(http::body_bytes_max) != 0;
            asked.answer_due = too_large && parser.head().method != "PUT";
            if (too_large)
                return asked;
            continue;
        }
        if (asked.answer_due || (progress.taken == 0 && offered == bytes.size()))
            return asked;
        if (progress.taken == 0)
            offered = std::min(bytes.size(), offered + (offered == 0 ? first_bytes : part_bytes));
    }
    asked.answer_due = true;
    asked.more_behind = taken < bytes.size();
    asked.headers = parser.head().headers;
    asked.is_head = parser.head().method == "HEAD";
    return asked;
}

// Empty lines before a request mean nothing. A head that is broken in the middle may look as if
// more were to come when it arrives in parts, by where it is cut: then it is answered, or not yet,
// and after http::read_timeout with 408.
Asked judge(std::string_view bytes, std::size_t cut) {
    const std::size_t empty = std::min(bytes.find_first_not_of("\r\n"), bytes.size());
    bytes.remove_prefix(empty);
    const std::size_t all = std::max<std::size_t>(bytes.size(), 1);
    Asked asked = judge_in_parts(bytes, all, all);
    asked.answer_due = asked.answer_due && judge_in_parts(bytes, 7, 7).answer_due;
    if (asked.answer_due && cut > empty)
        asked.answer_due = judge_in_parts(bytes, cut - empty, all).answer_due;
    return asked;
}

bool is_events(const http::Headers& headers) {
    const auto type = headers.find("content-type");
    return type != headers.end() && type->second.starts_with("text/event-stream");
}

}  // namespace

struct HostileClient::Received {
    Received(bool to_head, bool in_a_hurry) : parser(to_head), may_hang_up(in_a_hurry) {}
    http::ResponseParser parser;
    std::string body;
    bool may_hang_up;
    bool hung_up = false;
    bool closed = false;
    bool sent_late = false;
};

std::string wrong_with_answer(int status, const http::Headers& headers, const std::string& body) {
    if (status >= 400) {
        const json object = json::parse(body, nullptr, false);
        const bool good = object.is_object() && object.contains("error") &&
                          object["error"].is_object() && object["error"].size() == 4 &&
                          object["error"].value("message", "") != "";
        if (!good)
            return "no error object: " + body.substr(0, 300);
        // Nothing that a client sends may be too much for the server itself.
        return status == 500 ? "an internal error: " + body.substr(0, 300) : "";
    }
    if (is_events(headers)) {
        const bool ended =
            body.ends_with("data: [DONE]\n\n") || body.find("\"error\"") != body.npos;
        return ended ? "" : "a stream without an end: " + body.substr(0, 300);
    }
    const auto type = headers.find("content-type");
    if (type != headers.end() && type->second.starts_with("application/json"))
        return json::accept(body) ? "" : "no JSON: " + body.substr(0, 300);
    return "";
}

HostileClient::~HostileClient() {
    close_now(false);
    for (const int fd : standing_)
        close(fd);
}

bool HostileClient::connect() {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int at_once = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    ++figures_.connections;
    return ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

void HostileClient::close_now(bool reset) {
    if (fd_ < 0)
        return;
    if (reset) {
        const linger at_once{1, 0};
        setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    close(std::exchange(fd_, -1));
}

void HostileClient::leave_standing() {
    standing_.push_back(std::exchange(fd_, -1));
    if (standing_.size() <= standing_max)
        return;
    close(standing_.front());
    standing_.pop_front();
}

// In two parts, unless the first is all of it.
bool HostileClient::send_all(std::string_view bytes, std::size_t cut) {
    for (std::string_view part : {bytes.substr(0, cut), bytes.substr(cut)}) {
        while (!part.empty()) {
            const ssize_t count = ::send(fd_, part.data(), part.size(), MSG_NOSIGNAL);
            if (count <= 0)
                return false;
            part.remove_prefix(static_cast<std::size_t>(count));
        }
    }
    return true;
}

// One answer from the connection. Empty: it is whole, or was left in the middle on purpose.
std::string HostileClient::receive(Received& received) {
    char buffer[16 * 1024];
    std::string held;
    while (!received.parser.done()) {
        pollfd readable{fd_, POLLIN, 0};
        if (poll(&readable, 1, answer_ms_max) <= 0)
            return "no answer in time";
        const ssize_t count = recv(fd_, buffer, sizeof buffer, 0);
        if (count <= 0) {
            received.closed = true;
            return received.parser.finish() ? "" : "the connection ended without a whole answer";
        }
        held.append(buffer, static_cast<std::size_t>(count));
        const auto progress = received.parser.feed(held);
        held.erase(0, progress.taken);
        if (progress.broken)
            return "the answer is not HTTP: " + held.substr(0, 300);
        received.body += received.parser.take_body();
        if (received.body.size() > answer_bytes_max)
            return "the answer does not end";
        if (received.may_hang_up && received.parser.head_done() && !received.parser.done() &&
            is_events(received.parser.headers())) {
            received.hung_up = true;
            return "";
        }
    }
    received.body += received.parser.take_body();
    return "";
}

std::string HostileClient::exchange(std::string_view bytes, std::size_t cut, Received& received) {
    if (fd_ < 0 && !connect())
        return "cannot connect";
    const auto begun = std::chrono::steady_clock::now();
    static_cast<void>(send_all(bytes, cut));  // a server may answer, and close, before it has all
    received.sent_late = std::chrono::steady_clock::now() - begun > late_after;
    return receive(received);
}

void HostileClient::begin_only(std::string_view bytes, std::size_t cut) {
    ++figures_.begun_only;
    if (fd_ < 0 && !connect())
        return;
    if (send_all(bytes, cut) && prng_.chance(0.5))
        leave_standing();
    else
        close_now(prng_.chance(0.5));
}

std::string HostileClient::send(const std::string& bytes, Answer* answer) {
    // Now and then in two parts.
    const std::size_t cut = prng_.chance(0.1) ? prng_.below(bytes.size() + 1) : bytes.size();
    const Asked asked = judge(bytes, cut);
    ++figures_.requests;
    if (answer != nullptr)
        *answer = {0, asked.headers};
    if (!asked.answer_due) {
        begin_only(bytes, cut);
        return "";
    }
    const bool fresh = fd_ < 0;
    auto received = std::make_unique<Received>(asked.is_head, prng_.chance(0.3));
    std::string wrong = exchange(bytes, cut, *received);
    // A connection that was kept may have been closed meanwhile, as HTTP allows.
    if (!fresh && received->closed && !received->parser.head_done()) {
        close_now(false);
        received = std::make_unique<Received>(asked.is_head, prng_.chance(0.3));
        wrong = exchange(bytes, cut, *received);
    }
    if (!wrong.empty())
        return wrong;
    const int status = received->parser.status();
    const http::Headers& headers = received->parser.headers();
    if (answer != nullptr)
        answer->status = status;
    const auto connection = headers.find("connection");
    const bool ends =
        received->closed || received->hung_up || asked.more_behind ||
        (connection != headers.end() && connection->second.find("close") != std::string::npos);
    if (ends || prng_.chance(0.05))
        close_now(prng_.chance(0.3));
    if (received->hung_up) {
        ++figures_.hung_up;
        return "";
    }
    ++figures_.answers[status];
    if (status == status_too_late && !received->sent_late)
        return "408 for a request whose bytes were all there";
    return asked.is_head ? "" : wrong_with_answer(status, headers, received->body);
}

}  // namespace idlewatt::test
