// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Figures of the real bus on this machine; printed, and held only against generous limits.
#include <algorithm>
#include <cstdio>

#include <gtest/gtest.h>

#include "bus_world.hpp"

namespace idlewatt::bus {
namespace {

using base::seconds;

double at(std::vector<double> values, double share) {
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

void print(const char* what, const std::vector<double>& values) {
    std::printf("%s: median %.3f ms, p99 %.3f ms, max %.3f ms of %zu\n", what, at(values, 0.5),
                at(values, 0.99), at(values, 1), values.size());
}

TEST(NatsFigures, a_request_and_its_reply) {
    NatsWorld world;
    auto a = world.connect_as("a", {});
    auto b = world.connect_as("b", {});
    b->subscribe("echo", [&](const Message& m) { b->reply(m, m.payload); });
    world.settle(*b);
    std::vector<double> times;
    base::Instant asked{};
    std::function<void()> ask = [&] {
        asked = world.loop().now();
        a->request("echo", "x", seconds(60), [&](ReplyStatus status, const Message&) {
            EXPECT_EQ(status, ReplyStatus::answered);
            times.push_back((world.loop().now() - asked).milliseconds());
            if (times.size() < 2'000)
                ask();
        });
    };
    ask();
    ASSERT_TRUE(world.run_until([&] { return times.size() == 2'000; }));
    print("request and reply, both on one loop", times);
    EXPECT_LT(at(times, 0.5), 50);
}

TEST(NatsFigures, publishing) {
    NatsWorld world;
    auto a = world.connect_as("a", {});
    auto b = world.connect_as("b", {});
    constexpr int count = 50'000;
    int heard = 0;
    b->subscribe("n", [&](const Message&) { ++heard; });
    world.settle(*b);
    const std::string payload(128, 'x');
    const base::Instant start = world.loop().now();
    for (int i = 0; i < count; ++i)
        a->publish("n", payload);
    const double published_s = (world.loop().now() - start).seconds();
    ASSERT_TRUE(world.run_until([&] { return heard == count; }));
    const double heard_s = (world.loop().now() - start).seconds();
    std::printf("publish of 128 bytes: %.0f/s given away, %.0f/s heard\n", count / published_s,
                count / heard_s);
}

TEST(NatsFigures, the_first_message_after_a_restart) {
    NatsWorld world;
    auto a = world.connect_as("a", {});
    auto b = world.connect_as("b", {});
    bool heard = false;
    b->subscribe("n", [&](const Message&) { heard = true; });
    world.settle(*b);
    std::vector<double> noticed;
    std::vector<double> times;
    for (int i = 0; i < 8; ++i) {
        const base::Instant killed = world.loop().now();
        world.stop_server();
        ASSERT_TRUE(world.run_until([&] { return !a->connected() && !b->connected(); }));
        noticed.push_back((world.loop().now() - killed).milliseconds());
        heard = false;
        world.start_server();  // returns when the server listens
        const base::Instant up = world.loop().now();
        ASSERT_TRUE(world.run_until([&] {
            if (a->connected() && b->connected())
                a->publish("n", "");
            return heard;
        }));
        times.push_back((world.loop().now() - up).milliseconds());
    }
    print("server killed until both know", noticed);
    print("server listens until a message is heard", times);
}

// Some clients fail once in 256 times: when the signature begins with a zero byte.
TEST(NatsFigures, connecting_never_fails_by_chance) {
    NatsWorld world;
    const NatsOptions options = world.options("a", world.enrol(world.account(), "a"));
    std::vector<double> times;
    for (int i = 0; i < 300; ++i) {
        const base::Instant before = world.loop().now();
        const auto bus = world.try_connect(options);
        ASSERT_TRUE(bus.has_value()) << bus.error().message;
        times.push_back((world.loop().now() - before).milliseconds());
    }
    print("connect", times);
}

TEST(NatsFigures, news_of_a_departure) {
    NatsWorld world;
    auto gateway = world.connect("gateway", "gateway/1");
    bool gone = false;
    gateway->on_departure([&](const Departure& d) { gone = gone || d.name == "car"; });
    world.settle_system(*gateway);
    std::vector<double> times;
    for (int i = 0; i < 30; ++i) {
        auto car = world.connect_as("car", {});
        gone = false;
        const base::Instant before = world.loop().now();
        car.reset();
        ASSERT_TRUE(world.run_until([&] { return gone; }));
        times.push_back((world.loop().now() - before).milliseconds());
    }
    print("closed until the departure is told", times);
}

}  // namespace
}  // namespace idlewatt::bus
