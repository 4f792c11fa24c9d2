// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "intake_cars.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <new>
#include <optional>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encoding.hpp"
#include "cli/files.hpp"
#include "core/announcement.hpp"
#include "identity/identity.hpp"
#include "identity/membership.hpp"
#include "wire/subject.hpp"
#include "wire/wire.hpp"

namespace idlewatt {

namespace {

using Clock = std::chrono::steady_clock;

constexpr long fleets = 16;
constexpr int send_period_ms = 2;
// What is due after a pause is not made up for.
constexpr double made_up_for_s = 0.2;
constexpr base::Duration proof_lifetime = base::minutes(24 * 60);

struct IntakeOrder {
    std::uint16_t port = 0;
    std::array<char, 256> folder{};
    std::array<char, 128> model{};
};

base::WallTime wall_clock() {
    return base::WallTime{std::chrono::duration_cast<std::chrono::microseconds>(
                              std::chrono::system_clock::now().time_since_epoch())
                              .count()};
}

// Just enough of the NATS protocol to publish.
class Connection {
public:
    Connection(std::uint16_t port, const identity::KeyPair& account) {
        fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ok_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        const std::string info = receive_until("\r\n");
        constexpr std::string_view key = R"("nonce":")";
        const std::size_t at = info.find(key);
        if (at == std::string::npos) {
            ok_ = false;
            return;
        }
        const std::size_t begin = at + key.size();
        const std::string nonce = info.substr(begin, info.find('"', begin) - begin);
        const auto user = identity::KeyPair::generate(identity::KeyKind::user);
        const std::string jwt = identity::mint_user_jwt(account, user.public_key(), "cars", {},
                                                        wall_clock(), std::nullopt);
        send_all(R"(CONNECT {"verbose":false,"pedantic":false,"protocol":1,"lang":"c",)"
                 R"("version":"1","name":"cars","jwt":")" +
                 jwt + R"(","sig":")" + base::to_base64url(user.sign(nonce)) + "\"}\r\nPING\r\n");
        ok_ = ok_ && receive_until("PONG\r\n").find("-ERR") == std::string::npos;
    }

    [[nodiscard]] bool ok() const { return ok_; }

    void send_all(std::string_view bytes) {
        while (ok_ && !bytes.empty()) {
            const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (count <= 0) {
                ok_ = count < 0 && errno == EINTR;
                continue;
            }
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
    }

    // The pace of sending; the server has seldom anything to say.
    void wait_a_moment() const {
        pollfd heard{fd_, POLLIN, 0};
        poll(&heard, 1, send_period_ms);
    }

    void answer_pings() {
        const ssize_t count = recv(fd_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (count == 0)
            ok_ = false;
        if (count <= 0)
            return;
        const std::string_view heard(buffer_.data(), static_cast<std::size_t>(count));
        if (heard.find("PING") != std::string_view::npos)
            send_all("PONG\r\n");
        if (heard.find("-ERR") != std::string_view::npos)
            ok_ = false;
    }

private:
    std::string receive_until(std::string_view mark) {
        std::string heard;
        while (ok_ && heard.find(mark) == std::string::npos) {
            const ssize_t count = recv(fd_, buffer_.data(), buffer_.size(), 0);
            if (count <= 0)
                ok_ = false;
            else
                heard.append(buffer_.data(), static_cast<std::size_t>(count));
        }
        return heard;
    }

    int fd_ = -1;
    bool ok_ = false;
    std::array<char, 64 * 1024> buffer_{};
};

core::Announcement first_announcement(long number, const identity::KeyPair& account,
                                      const std::string& model, base::WallTime now) {
    std::string digits = std::to_string(number);
    digits.insert(0, 9 - std::min<std::size_t>(digits.size(), 9), '0');
    core::Announcement said;
    said.vehicle = core::VehicleId("bench-vehicle-" + digits);
    said.incarnation = core::Incarnation(static_cast<std::uint64_t>(now.us));
    said.reason = core::Reason::ok;
    said.allowed_w = 1500.0;
    said.state_of_charge_percent = 72.5;
    said.models = {model};
    said.slots_total = 4;
    said.tokens_per_second = 31.5;
    said.context_tokens = 32'768;
    said.stay = core::StayForecast{base::minutes(20), base::minutes(90), base::minutes(300)};
    said.fingerprint = "0123456789abcdef";
    said.membership = identity::mint_membership(
        account, {said.vehicle, "fleet-" + std::to_string(number % fleets),
                  base::WallTime{now.us + proof_lifetime.ns / 1000}});
    return said;
}

[[noreturn]] void announce_for_ever(const IntakeOrder& order, long cars, IntakeFigures& figures) {
    const auto seed = cli::read_file(std::string(order.folder.data()) + "/account.seed");
    const auto account = identity::KeyPair::from_seed(seed.value());
    const wire::Subjects subjects{"c1"};
    std::vector<core::Announcement> said;
    for (long number = 0; number < cars; ++number) {
        said.push_back(
            first_announcement(number, account.value(), order.model.data(), wall_clock()));
    }
    Connection connection(order.port, account.value());
    figures.prepared = true;
    Clock::time_point last = Clock::now();
    double due = 0.0;
    std::size_t next = 0;
    std::string bytes;
    while (connection.ok()) {
        connection.wait_a_moment();
        connection.answer_pings();
        const Clock::time_point now = Clock::now();
        const auto rate = static_cast<double>(figures.rate.load());
        due += rate * std::chrono::duration<double>(now - last).count();
        due = std::min(due, rate * made_up_for_s);
        last = now;
        bytes.clear();
        long count = 0;
        for (; due >= 1.0; due -= 1.0, ++count) {
            core::Announcement& car = said[next];
            next = (next + 1) % said.size();
            ++car.sequence;
            car.slots_free = static_cast<std::uint32_t>((car.sequence + next) % 5);
            const std::string payload = wire::encode(car);
            bytes.append("PUB ").append(subjects.announce(car.vehicle)).append(" ");
            bytes.append(std::to_string(payload.size())).append("\r\n");
            bytes.append(payload).append("\r\n");
        }
        connection.send_all(bytes);
        figures.sent += count;
    }
    figures.failed = true;
    _exit(1);
}

}  // namespace

IntakeCars::IntakeCars(long cars) {
    void* const shared = mmap(nullptr, sizeof(IntakeFigures), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ends[2] = {-1, -1};
    if (shared == MAP_FAILED || pipe(ends) != 0)
        std::abort();
    figures_ = new (shared) IntakeFigures;  // tidy: allow(raw_new) in memory that two processes see
    pid_ = fork();
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[1]);
        IntakeOrder order;
        if (::read(ends[0], &order, sizeof order) == static_cast<ssize_t>(sizeof order))
            announce_for_ever(order, cars, *figures_);
        _exit(0);
    }
    close(ends[0]);
    order_ = ends[1];
}

IntakeCars::~IntakeCars() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(order_);
    munmap(figures_, sizeof *figures_);
}

void IntakeCars::prepare(std::uint16_t nats_port, const std::string& folder,
                         const std::string& model) {
    IntakeOrder order;
    order.port = nats_port;
    folder.copy(order.folder.data(), order.folder.size() - 1);
    model.copy(order.model.data(), order.model.size() - 1);
    if (::write(order_, &order, sizeof order) != static_cast<ssize_t>(sizeof order))
        std::abort();
}

void IntakeCars::set_rate(long announcements_per_second) {
    figures_->rate = announcements_per_second;
}

}  // namespace idlewatt
