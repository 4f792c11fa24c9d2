// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Who stands in a NATS server's place, or beside it, and means no good.
#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include "base/descriptor.hpp"
#include "bus_world.hpp"
#include "http/certificate_test.hpp"

namespace idlewatt::bus {
namespace {

using base::milliseconds;
using base::seconds;

const std::string greeting =
    "INFO {\"server_id\":\"N\",\"max_payload\":1048576,\"tls_required\":TLS,\"nonce\":\"abc\"}\r\n";

std::string info(bool tls) {
    std::string text = greeting;
    return text.replace(text.find("TLS,"), 3, tls ? "true" : "false");
}

// Takes connections, one after the other, and does with each what it was told.
class FalseServer {
public:
    using Play = std::function<void(int socket, const std::atomic<bool>& stopping)>;

    explicit FalseServer(Play play) : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const place = reinterpret_cast<sockaddr*>(&address);
        EXPECT_EQ(::bind(listener_.get(), place, size), 0);
        EXPECT_EQ(::listen(listener_.get(), 8), 0);
        EXPECT_EQ(::getsockname(listener_.get(), place, &size), 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, play = std::move(play)] {  // tidy: allow(thread) a peer
            while (!stopping_) {
                const base::Descriptor client(::accept(listener_.get(), nullptr, nullptr));
                if (client.get() >= 0)
                    play(client.get(), stopping_);
            }
        });
    }
    ~FalseServer() {
        stopping_ = true;
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
    }
    [[nodiscard]] std::string port() const { return std::to_string(port_); }

private:
    base::Descriptor listener_;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_ = false;
    std::thread thread_;  // tidy: allow(thread) a peer
};

bool say(int socket, const std::string& text) {
    return ::send(socket, text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
}

TEST(NatsHostile, what_is_said_before_tls_does_not_count_as_said_within) {
    const http::TestCertificate certificate;
    NatsWorld world;
    FalseServer server([](int socket, const std::atomic<bool>&) {
        say(socket, info(true) + "PONG\r\nMSG v.car1.in 3 5\r\nhello\r\n");
        std::string heard(4096, '\0');
        while (::recv(socket, heard.data(), heard.size(), 0) > 0) {
        }
    });
    NatsOptions options = world.options("a", world.enrol(world.account(), "a"));
    options.urls = {"tls://127.0.0.1:" + server.port()};
    options.ca_file = certificate.certificate_file();
    options.connect_timeout = milliseconds(500);
    const auto refused = world.try_connect(options);
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().message.find("between the server's INFO and TLS"), std::string::npos)
        << refused.error().message;
}

TEST(NatsHostile, a_server_that_never_stops_talking_holds_nobody_up) {
    NatsWorld world;
    FalseServer server([](int socket, const std::atomic<bool>& stopping) {
        std::string flood;
        for (int i = 0; i < 1'000; ++i)
            flood += "+OK\r\n";
        for (bool goes_on = say(socket, info(false)); goes_on && !stopping;)
            goes_on = say(socket, flood);
    });
    NatsOptions options = world.options("a", world.enrol(world.account(), "a"));
    options.urls = {"nats://127.0.0.1:" + server.port()};
    options.connect_timeout = milliseconds(500);
    const auto refused = world.try_connect(options);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, base::ErrorKind::unavailable) << refused.error().message;
}

TEST(NatsHostile, a_refused_login_is_nobodys_departure) {
    NatsWorld world;
    auto gateway = world.connect("gateway", "gateway/1");
    std::vector<std::string> gone;
    gateway->on_departure([&](const Departure& d) { gone.push_back(d.name + ' ' + d.label); });
    world.settle_system(*gateway);
    // A stranger says that it is car1.
    const auto stranger = identity::KeyPair::generate(identity::KeyKind::account);
    NatsOptions forged = world.options("car1", world.enrol(stranger, "car1"));
    forged.label = "car1/1";
    EXPECT_FALSE(world.try_connect(forged).has_value());
    // One that was let in comes behind it.
    auto other = world.try_connect(world.options("car2", world.enrol(world.account(), "car2")));
    ASSERT_TRUE(other.has_value());
    other->reset();
    ASSERT_TRUE(world.run_until([&] { return !gone.empty(); }));
    EXPECT_EQ(gone.front().substr(0, 4), "car2");
    EXPECT_EQ(gone.size(), 1U);
}

TEST(NatsHostile, renewals_that_overtake_each_other_leave_one_connection) {
    NatsWorld world;
    auto opened = world.try_connect(world.options("car", world.enrol(world.account(), "car")));
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    Bus& car = **opened;
    std::vector<bool> states;
    car.on_state([&](bool up) { states.push_back(up); });
    for (int i = 0; i < 3; ++i)
        car.reauthenticate();
    ASSERT_TRUE(world.run_until([&] { return !states.empty() && car.connected(); }));
    world.linger(seconds(1));
    world.settle(car);
    // The second renewal reads the file for the third as well, and may come before the first has
    // settled.
    ASSERT_TRUE(states.size() == 2 || states.size() == 4) << states.size();
    for (std::size_t i = 0; i < states.size(); ++i)
        EXPECT_EQ(states[i], i % 2 == 1);
}

TEST(NatsHostile, one_bad_address_among_good_ones_is_always_told_and_never_with_its_password) {
    NatsWorld world;
    NatsOptions options = world.options("a", world.enrol(world.account(), "a"));
    options.urls.emplace_back("nats://me:hunter2@127.0.0.1:1");
    for (int i = 0; i < 8; ++i) {
        const auto refused = world.try_connect(options);
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().kind, base::ErrorKind::bad_input);
        EXPECT_EQ(refused.error().message.find("hunter2"), std::string::npos);
    }
}

}  // namespace
}  // namespace idlewatt::bus
