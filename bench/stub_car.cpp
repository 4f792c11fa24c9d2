// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "stub_car.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_cell.hpp"
#include "core/core.hpp"
#include "wire/bundle.hpp"
#include "wire/subject.hpp"
#include "wire/wire.hpp"

namespace idlewatt {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t receive_bytes = 2 * 1024 * 1024;  // more than one message
constexpr auto announce_every = std::chrono::milliseconds(500);
constexpr int poll_ms = 100;
constexpr std::string_view line_end = "\r\n";
const core::VehicleId vehicle("car-0");
constexpr std::uint64_t incarnation = 1;

// One gateway's connection, from its first byte on.
class Conversation {
public:
    Conversation(int socket, const StubCarOptions& options) : socket_(socket), options_(options) {
        std::uint64_t sequence = 0;
        std::vector<std::string> messages;
        for (long token = 0; token < options.answer_tokens; ++token) {
            core::Piece piece;
            piece.ids = {static_cast<std::int32_t>(100 + token)};
            piece.text = " night";
            piece.token_count = 1;
            piece.prompt_tokens = 24;
            messages.push_back(
                wire::encode(core::FromCar(core::Numbered{++sequence, std::move(piece)})));
        }
        const core::Finished finished{core::FinishReason::length, 24,
                                      static_cast<std::uint32_t>(options.answer_tokens), 0};
        messages.push_back(wire::encode(core::FromCar(core::Numbered{++sequence, finished})));
        // To a client that does not stream; see agent/sayings.hpp.
        said_ = wire::bundle(messages);
        out_ = R"(INFO {"server_id":"STUB","server_name":"stub","version":"2.10.0","proto":1,)"
               R"("headers":true,"max_payload":1048576,"nonce":"c3R1Yi1ub25jZQ"})";
        out_ += line_end;
        flush();
    }

    // False: it is over.
    bool step() {
        pollfd waits{socket_, POLLIN, 0};
        const int ready = ::poll(&waits, 1, poll_ms);
        if (ready > 0) {
            const ssize_t count = ::recv(socket_, in_.data() + held_, in_.size() - held_, 0);
            if (count <= 0)
                return false;
            held_ += static_cast<std::size_t>(count);
            const std::size_t taken = take({in_.data(), held_});
            held_ -= taken;
            std::memmove(in_.data(), in_.data() + taken, held_);
        }
        if (Clock::now() - announced_at_ >= announce_every)
            announce();
        return flush();
    }

private:
    // What was understood of it, in bytes.
    std::size_t take(std::string_view bytes) {
        std::size_t at = 0;
        for (;;) {
            const std::size_t end = bytes.find(line_end, at);
            if (end == bytes.npos)
                return at;
            const std::string_view line = bytes.substr(at, end - at);
            const std::size_t next = end + line_end.size();
            if (!line.starts_with("PUB ")) {
                command(line);
                at = next;
                continue;
            }
            const auto words = split(line);
            std::size_t size = 0;
            std::from_chars(words.back().data(), words.back().data() + words.back().size(), size);
            if (bytes.size() < next + size + line_end.size())
                return at;
            at = next + size + line_end.size();
            // Only the opening of an attempt wants to hear that nobody is there.
            if (words.size() == 4)
                answer(words[1]);
        }
    }

    static std::vector<std::string_view> split(std::string_view line) {
        std::vector<std::string_view> words;
        while (!line.empty()) {
            const std::size_t space = std::min(line.find(' '), line.size());
            if (space > 0)
                words.push_back(line.substr(0, space));
            line.remove_prefix(std::min(space + 1, line.size()));
        }
        return words;
    }

    void command(std::string_view line) {
        if (line.starts_with("PING")) {
            out_ += "PONG\r\n";
        } else if (line.starts_with("SUB ")) {
            const auto words = split(line);
            if (words[1].find(".out.") != line.npos) {
                out_sid_ = words.back();
                // iw.CELL.v.*.out.GATEWAY.*.*
                const std::size_t begin = words[1].find(".out.") + 5;
                gateway_ = words[1].substr(begin, words[1].find('.', begin) - begin);
            } else if (words[1].ends_with(".announce")) {
                announce_sid_ = words.back();
            }
        }
    }

    // iw.CELL.v.VEHICLE.in.INCARNATION.ATTEMPT → iw.CELL.v.VEHICLE.out.GATEWAY.INCARNATION.ATTEMPT
    void answer(std::string_view subject) {
        const std::size_t in = subject.find(".in.");
        if (in == subject.npos || out_sid_.empty())
            return;
        out_ += "MSG ";
        out_ += subject.substr(0, in);
        out_ += ".out.";
        out_ += gateway_;
        out_ += subject.substr(in + 3);
        deliver(out_sid_, said_);
    }

    void deliver(const std::string& sid, const std::string& payload) {
        out_ += ' ';
        out_ += sid;
        out_ += ' ';
        out_ += std::to_string(payload.size());
        out_ += line_end;
        out_ += payload;
        out_ += line_end;
    }

    void announce() {
        if (announce_sid_.empty())
            return;
        announced_at_ = Clock::now();
        core::Announcement announcement;
        announcement.vehicle = vehicle;
        announcement.incarnation = core::Incarnation(incarnation);
        announcement.sequence = ++announcements_;
        announcement.reason = core::Reason::ok;
        announcement.models = {options_.model};
        announcement.slots_total = announcement.slots_free = slots_per_car;
        announcement.context_tokens = 1'000'000;
        announcement.fingerprint = "5e3d0c1b";
        out_ += "MSG " + wire::Subjects{"c1"}.announce(vehicle);
        deliver(announce_sid_, wire::encode(announcement));
    }

    bool flush() {
        for (std::string_view rest = out_; !rest.empty();) {
            const ssize_t count = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
            if (count <= 0)
                return false;
            rest.remove_prefix(static_cast<std::size_t>(count));
        }
        out_.clear();
        return true;
    }

    int socket_;
    StubCarOptions options_;
    std::string said_;
    std::vector<char> in_ = std::vector<char>(receive_bytes);
    std::size_t held_ = 0;  // of in_
    std::string out_;
    std::string out_sid_;
    std::string announce_sid_;
    std::string gateway_;
    std::uint64_t announcements_ = 0;
    Clock::time_point announced_at_;
};

}  // namespace

StubCar::StubCar(const StubCarOptions& options) : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 4) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        std::abort();
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, options] { run(options); });
}

StubCar::~StubCar() {
    stopping_ = true;
    thread_.join();
    ::close(listener_);
}

void StubCar::run(const StubCarOptions& options) {
    std::optional<OnCore> pinned;
    if (options.core >= 0)
        pinned.emplace(options.core);
    while (!stopping_) {
        pollfd waits{listener_, POLLIN, 0};
        if (::poll(&waits, 1, poll_ms) <= 0)
            continue;
        const int socket = ::accept(listener_, nullptr, nullptr);
        if (socket < 0)
            continue;
        const int on = 1;
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Conversation conversation(socket, options);
        while (!stopping_ && conversation.step()) {
        }
        ::close(socket);
    }
}

}  // namespace idlewatt
