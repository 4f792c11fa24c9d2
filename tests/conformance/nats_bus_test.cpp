// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What only the real bus has: credentials, permissions, processes that die, servers that hang.
#include <csignal>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "bus_world.hpp"

namespace idlewatt::bus {
namespace {

using base::milliseconds;
using base::seconds;
using identity::KeyKind;
using identity::KeyPair;
using identity::Permissions;

TEST(NatsBus, a_user_enrolled_after_the_server_started_is_accepted_at_once) {
    NatsWorld world;
    auto old = world.connect_as("old", {});
    auto fresh = world.connect_as("fresh", {});
    int heard = 0;
    fresh->subscribe("hello", [&](const Message&) { ++heard; });
    world.settle(*fresh);
    old->publish("hello", "");
    EXPECT_TRUE(world.run_until([&] { return heard == 1; }));
}

TEST(NatsBus, forged_expired_and_missing_credentials_are_refused_with_the_reason) {
    NatsWorld world;
    const KeyPair stranger = KeyPair::generate(KeyKind::account);
    const auto forged = world.try_connect(world.options("f", world.enrol(stranger, "f")));
    ASSERT_FALSE(forged.has_value());
    EXPECT_EQ(forged.error().kind, base::ErrorKind::denied) << forged.error().message;

    const base::WallTime past = world.loop().wall_now() + seconds(-10);
    const auto expired =
        world.try_connect(world.options("e", world.enrol(world.account(), "e", {}, past)));
    ASSERT_FALSE(expired.has_value());
    EXPECT_EQ(expired.error().kind, base::ErrorKind::denied) << expired.error().message;

    const auto missing = world.try_connect(world.options("m", "/nowhere/m.creds"));
    ASSERT_FALSE(missing.has_value());
    EXPECT_NE(missing.error().message.find("/nowhere/m.creds"), std::string::npos);

    const auto nobody = world.try_connect(world.options("n", ""));
    ASSERT_FALSE(nobody.has_value());
    EXPECT_EQ(nobody.error().kind, base::ErrorKind::denied) << nobody.error().message;
}

TEST(NatsBus, garbage_in_a_credentials_file_is_an_error_not_a_crash) {
    NatsWorld world;
    const std::string path = world.enrol(world.account(), "g");
    for (const std::string garbage : {"", "x", "-----BEGIN NATS USER JWT-----\n"}) {
        std::ofstream(path, std::ios::trunc) << garbage;
        NatsOptions options = world.options("g", path);
        options.connect_timeout = milliseconds(300);
        EXPECT_FALSE(world.try_connect(options).has_value());
    }
}

TEST(NatsBus, no_server_is_unavailable_within_the_timeout) {
    NatsWorld world;
    NatsOptions options = world.options("a", world.enrol(world.account(), "a"));
    world.stop_server();
    options.connect_timeout = milliseconds(300);
    const auto bus = world.try_connect(options);
    ASSERT_FALSE(bus.has_value());
    EXPECT_EQ(bus.error().kind, base::ErrorKind::unavailable) << bus.error().message;
}

TEST(NatsBus, a_car_speaks_only_where_it_may_and_answers_who_asks) {
    NatsWorld world;
    auto gateway = world.connect_as("gateway", {});
    const Permissions mine{{"v.car1.out.>"}, {"v.car1.in.>", "_INBOX_car1.>"}};
    auto car = world.connect_as("car1", mine);
    std::vector<std::string> heard;
    gateway->subscribe("v.>", [&](const Message& m) { heard.push_back(m.subject); });
    gateway->subscribe("ask", [&](const Message& m) { gateway->reply(m, "no"); });
    car->subscribe("v.>", [&](const Message& m) { heard.push_back("spied " + m.subject); });
    car->subscribe("v.car1.in.ask", [&](const Message& m) { car->reply(m, "yes"); });
    world.settle(*gateway);

    car->publish("v.car2.out.x", "forged");
    car->publish("v.car1.out.x", "true");
    ReplyStatus own = ReplyStatus::disconnected;
    car->request("ask", "", milliseconds(200), [&](ReplyStatus s, const Message&) { own = s; });
    ASSERT_TRUE(world.run_until([&] { return own == ReplyStatus::timed_out; }));
    ASSERT_TRUE(world.run_until([&] { return !heard.empty() && car->losses().denied >= 3; }));
    EXPECT_EQ(heard, std::vector<std::string>{"v.car1.out.x"});
    EXPECT_EQ(car->losses().denied, 3U);  // the subscription, the publication, the request
    EXPECT_TRUE(car->connected());

    std::string answer;
    gateway->request("v.car1.in.ask", "", seconds(60),
                     [&](ReplyStatus, const Message& m) { answer = m.payload; });
    EXPECT_TRUE(world.run_until([&] { return answer == "yes"; }));
    ReplyStatus nobody = ReplyStatus::answered;
    car->request("v.car1.out.nobody.listens", "", seconds(60),
                 [&](ReplyStatus s, const Message&) { nobody = s; });
    world.linger();
    EXPECT_EQ(nobody, ReplyStatus::answered);  // the gateway hears v.> but does not answer
}

TEST(NatsBus, a_cars_own_request_comes_back_to_its_own_inbox) {
    NatsWorld world;
    auto coordinator = world.connect_as("coordinator", {});
    auto car = world.connect_as("car1", {{"v.car1.receipts"}, {"_INBOX_car1.>"}});
    std::string answer;
    ReplyStatus status = ReplyStatus::disconnected;
    const auto receipt = [&] {
        answer.clear();
        car->request("v.car1.receipts", "r", seconds(60), [&](ReplyStatus s, const Message& m) {
            status = s;
            answer = m.payload.empty() ? "-" : m.payload;
        });
        EXPECT_TRUE(world.run_until([&] { return !answer.empty(); }));
    };
    receipt();
    EXPECT_EQ(status, ReplyStatus::no_responders);
    coordinator->subscribe("v.*.receipts", [&](const Message& m) { coordinator->reply(m, "ok"); });
    world.settle(*coordinator);
    receipt();
    EXPECT_EQ(status, ReplyStatus::answered);
    EXPECT_EQ(answer, "ok");
}

TEST(NatsBus, when_the_credentials_expire_the_new_ones_in_the_file_are_taken) {
    NatsWorld world;
    // On a machine that is busy they may have expired before it has connected.
    base::Result<std::unique_ptr<Bus>> opened = base::fail(base::ErrorKind::denied, "not tried");
    for (int life_s = 2; life_s <= 64 && !opened; life_s *= 2) {
        const base::WallTime soon = world.loop().wall_now() + seconds(life_s);
        opened =
            world.try_connect(world.options("car", world.enrol(world.account(), "car", {}, soon)));
    }
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    Bus& bus = **opened;
    std::vector<bool> states;
    bus.on_state([&](bool up) { states.push_back(up); });
    ASSERT_TRUE(world.run_until([&] { return !states.empty(); }));
    // Within the second of its end a JWT is accepted once more and thrown out at once.
    world.linger(milliseconds(1'500));
    ASSERT_TRUE(world.run_until([&] { return !bus.connected(); }));
    (void)world.enrol(world.account(), "car");
    ASSERT_TRUE(world.run_until([&] { return bus.connected(); }));
    world.settle(bus);
}

// Runs in a process of its own, started by the test below.
TEST(NatsBusClient, DISABLED_stays_until_killed) {
    const char* url = std::getenv("IDLEWATT_TEST_URL");
    const char* credentials = std::getenv("IDLEWATT_TEST_CREDENTIALS");
    ASSERT_TRUE(url != nullptr && credentials != nullptr);
    base::AsioLoop loop;
    NatsOptions options;
    options.urls = {url};
    options.name = "car7";
    options.label = "car7/3";
    options.credentials_file = credentials;
    const auto bus = connect_nats(loop, options);
    ASSERT_TRUE(bus.has_value()) << bus.error().message;
    (*bus)->publish("alive", "");
    loop.run_for(seconds(300));
}

TEST(NatsBus, the_death_of_a_process_is_announced_and_its_subjects_fall_silent) {
    NatsWorld world;
    auto gateway = world.connect("gateway", "gateway/1");
    bool alive = false;
    std::string gone;
    gateway->subscribe("alive", [&](const Message&) { alive = true; });
    gateway->on_departure([&](const Departure& d) { gone = d.name + ' ' + d.label; });
    world.settle(*gateway);
    world.settle_system(*gateway);
    base::SpawnOptions spawn;
    spawn.argv = {"/proc/self/exe", "--gtest_filter=NatsBusClient.*",
                  "--gtest_also_run_disabled_tests"};
    spawn.environment = {{"IDLEWATT_TEST_URL", world.url()},
                         {"IDLEWATT_TEST_CREDENTIALS", world.enrol(world.account(), "car7")}};
    spawn.output_file = "/dev/null";
    bool ended = false;
    auto client = base::ChildProcess::spawn(world.loop(), spawn, [&](int) { ended = true; });
    ASSERT_TRUE(client.has_value()) << client.error().message;
    ASSERT_TRUE(world.run_until([&] { return alive; }));
    (*client)->signal(SIGKILL);
    ASSERT_TRUE(world.run_until([&] { return !gone.empty(); }));
    EXPECT_EQ(gone, "car7 car7/3");
    EXPECT_TRUE(world.run_until([&] { return ended; }));
}

TEST(NatsBus, a_label_cannot_forge_a_name) {
    NatsWorld world;
    auto gateway = world.connect("gateway", "gateway/1");
    std::vector<std::string> names;
    gateway->on_departure([&](const Departure& d) { names.push_back(d.name + ' ' + d.label); });
    NatsOptions liar = world.options("car2", world.enrol(world.account(), "car2"));
    liar.label = "car1/5";
    auto bus = world.try_connect(liar);
    ASSERT_TRUE(bus.has_value());
    world.settle_system(*gateway);
    bus->reset();
    ASSERT_TRUE(world.run_until([&] { return !names.empty(); }));
    EXPECT_EQ(names.front(), "car2 car1/5");
}

TEST(NatsBus, a_hanging_server_blocks_neither_the_loop_nor_memory) {
    NatsWorld world;
    auto bus = world.connect_as("a", {});
    world.server().signal(SIGSTOP);
    const std::string payload(256 * 1024, 'x');
    base::Duration longest{};
    for (int i = 0; i < 1'000; ++i) {  // 250 MiB: more than every buffer on the way
        const base::Instant before = world.loop().now();
        bus->publish("flood", payload);
        longest = std::max(longest, world.loop().now() - before);
    }
    // One that waited for the server would wait for good.
    EXPECT_LT(longest, seconds(10));
    EXPECT_GT(bus->losses().published_too_fast, 0U);
    ASSERT_TRUE(world.run_until([&] { return !bus->connected(); }));
    world.server().signal(SIGCONT);
    ASSERT_TRUE(world.run_until([&] { return bus->connected(); }));
    world.settle(*bus);
}

}  // namespace
}  // namespace idlewatt::bus
