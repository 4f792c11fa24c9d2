// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// TLS, renewed and revoked credentials on a real nats-server; and how long a call may hold us up.
#include <csignal>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "bus/nats_server.hpp"
#include "bus_world.hpp"
#include "http/certificate_test.hpp"
#include "testing/mutator.hpp"

namespace idlewatt::bus {
namespace {

using base::milliseconds;
using base::seconds;
using http::TestCertificate;
using identity::Permissions;

NatsWorldOptions with(const TestCertificate& certificate) {
    NatsWorldOptions options;
    options.certificate_file = certificate.certificate_file();
    options.key_file = certificate.key_file();
    return options;
}

bool is_stopped(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return text.find("State:\tT") != std::string::npos;
}

std::string port_of(const std::string& url) {
    return url.substr(url.rfind(':'));
}

TEST(NatsTls, carries_messages_to_those_who_know_the_authority) {
    const TestCertificate certificate;
    const TestCertificate stranger;
    NatsWorld world(with(certificate));
    NatsOptions options = world.options("a", world.enrol(world.account(), "a"));
    options.system_credentials_file = world.enrol(world.system_account(), "system_a");
    for (const std::string host : {"localhost", "127.0.0.1"}) {
        options.urls = {"tls://" + host + port_of(world.url())};
        options.ca_file = certificate.certificate_file();
        auto bus = world.try_connect(options);
        ASSERT_TRUE(bus.has_value()) << bus.error().message;
        world.settle(**bus);
        // The reconnection is a connection of its own, with TLS again.
        int changes = 0;
        (*bus)->on_state([&](bool) { ++changes; });
        (*bus)->reauthenticate();
        ASSERT_TRUE(world.run_until([&] { return changes == 2; }));
        world.settle(**bus);
    }
    options.connect_timeout = seconds(2);
    for (const std::string& authority : {stranger.certificate_file(), std::string()}) {
        options.ca_file = authority;
        const auto refused = world.try_connect(options);
        ASSERT_FALSE(refused.has_value());
        EXPECT_NE(refused.error().message.find("SSL"), std::string::npos)
            << refused.error().message;
    }
    options.ca_file = "/nowhere/ca.pem";
    EXPECT_FALSE(world.try_connect(options).has_value());
}

TEST(NatsTls, a_certificate_for_another_host_is_not_believed) {
    const TestCertificate certificate("DNS:elsewhere.example");
    NatsWorld world(with(certificate));
    NatsOptions options = world.options("a", world.enrol(world.account(), "a"));
    options.urls = {"tls://localhost" + port_of(world.url())};
    options.ca_file = certificate.certificate_file();
    options.connect_timeout = milliseconds(500);
    EXPECT_FALSE(world.try_connect(options).has_value());
}

TEST(NatsTls, plain_text_goes_to_no_other_machine_unless_told) {
    NatsWorld world;
    NatsOptions options = world.options("a", world.enrol(world.account(), "a"));
    options.urls.emplace_back("nats://nats.example:4222");
    const auto refused = world.try_connect(options);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, base::ErrorKind::bad_input);
    EXPECT_NE(refused.error().message.find("nats.example"), std::string::npos);
    options.allow_plaintext = true;
    EXPECT_TRUE(world.try_connect(options).has_value());
}

TEST(NatsRevocation, holds_at_once_and_after_a_restart_of_the_server) {
    NatsWorld world({.full_resolver = true});
    const std::string credentials = world.enrol(world.account(), "car");
    auto coordinator = world.connect("coordinator", "coordinator/1");
    auto car = world.try_connect(world.options("car", credentials));
    ASSERT_TRUE(car.has_value()) << car.error().message;
    const auto key = identity::key_of_credentials([&] {
        std::ifstream file(credentials);
        return std::string(std::istreambuf_iterator<char>(file), {});
    }());
    ASSERT_TRUE(key.has_value());
    // A JWT counts as newer from the next second on.
    world.linger(milliseconds(1'100));
    std::string answer;
    coordinator->system_request("$SYS.REQ.CLAIMS.UPDATE",
                                world.account_jwt({{key->public_key(), world.loop().wall_now()}}),
                                seconds(5), [&](ReplyStatus status, const Message& m) {
                                    EXPECT_EQ(status, ReplyStatus::answered);
                                    answer = m.payload;
                                });
    ASSERT_TRUE(world.run_until([&] { return !answer.empty(); }));
    EXPECT_NE(answer.find("\"code\":200"), std::string::npos) << answer;
    ASSERT_TRUE(world.run_until([&] { return !(*car)->connected(); }));
    car->reset();
    const auto is_shut_out = [&] {
        const auto again = world.try_connect(world.options("car", credentials));
        ASSERT_FALSE(again.has_value());
        EXPECT_EQ(again.error().kind, base::ErrorKind::denied) << again.error().message;
    };
    is_shut_out();
    EXPECT_TRUE(coordinator->connected());
    world.stop_server();
    world.start_server();
    ASSERT_TRUE(world.run_until([&] { return coordinator->connected(); }));
    is_shut_out();
}

TEST(NatsRenewal, new_credentials_take_effect_and_bad_ones_cost_nothing) {
    NatsWorld world;
    auto gateway = world.connect_as("gateway", {});
    std::vector<std::string> heard;
    gateway->subscribe("v.>", [&](const Message& m) { heard.push_back(m.subject); });
    world.settle(*gateway);
    const Permissions old_name{{"v.old"}, {"_INBOX_car.>"}};
    const Permissions new_name{{"v.new"}, {"_INBOX_car.>"}};
    const std::string file = world.enrol(world.account(), "car", old_name);
    auto opened = world.try_connect(world.options("car", file));
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    Bus& car = **opened;
    int downs = 0;
    car.on_state([&](bool up) { downs += up ? 0 : 1; });

    const identity::KeyPair stranger = identity::KeyPair::generate(identity::KeyKind::account);
    (void)world.enrol(stranger, "car", new_name);
    car.reauthenticate();
    world.linger(seconds(2));  // an attempt has ended by then
    car.publish("v.old", "");
    ASSERT_TRUE(world.run_until([&] { return heard.size() == 1; }));
    EXPECT_EQ(downs, 0);

    (void)world.enrol(world.account(), "car", new_name);
    car.reauthenticate();
    ASSERT_TRUE(world.run_until([&] { return downs == 1 && car.connected(); }));
    car.publish("v.old", "");
    car.publish("v.new", "");
    ASSERT_TRUE(world.run_until([&] { return heard.size() == 2; }));
    EXPECT_EQ(heard, (std::vector<std::string>{"v.old", "v.new"}));
}

TEST(NatsCredentials, what_is_no_credentials_is_not_called_an_absent_server) {
    NatsWorld world;
    const std::string file = world.enrol(world.account(), "car");
    std::ifstream reader(file);
    const std::string good{std::istreambuf_iterator<char>(reader), {}};
    const auto jwt = identity::user_jwt_of_credentials(good);
    const auto key = identity::key_of_credentials(good);
    ASSERT_TRUE(jwt && key);
    const auto with_jwt = [&](const std::string& text) {
        return identity::credentials(text, key->seed());
    };
    const identity::KeyPair other = identity::KeyPair::generate(identity::KeyKind::user);
    std::vector<std::string> texts{
        "", "hello", *jwt, with_jwt(""), with_jwt("a.b.c"), with_jwt(*jwt + "A"),
        with_jwt(jwt->substr(1)), with_jwt(*jwt + "\",\"verbose\":\"true"),
        with_jwt(std::string(1'000'000, 'a')), identity::credentials(*jwt, "SUA"),
        identity::credentials(*jwt, other.seed()),
        // As if users could let others in.
        identity::credentials(identity::mint_user_jwt(other, key->public_key(), "car", {},
                                                      world.loop().wall_now(), {}),
                              key->seed())};
    testing::Mutator mutator({good}, 1);
    for (int i = 0; i < 20; ++i)
        texts.push_back(mutator.next());
    for (const std::string& text : texts) {
        std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
        const auto connected = world.try_connect(world.options("car", file));
        if (connected) {
            EXPECT_NE(text.find(*jwt), std::string::npos) << text;
            continue;
        }
        EXPECT_EQ(connected.error().kind, base::ErrorKind::denied)
            << connected.error().message << '\n'
            << text.substr(0, 2000);
    }
}

TEST(NatsPatience, neither_opening_nor_closing_waits_longer_than_told) {
    NatsWorld world;
    auto bus = world.connect("a", "a/1");
    NatsOptions options = world.options("b", world.enrol(world.account(), "b"));
    options.system_credentials_file = world.enrol(world.system_account(), "system_b");
    options.urls = {world.url(), world.url(), world.url()};
    options.connect_timeout = seconds(1);
    world.server().signal(SIGSTOP);
    ASSERT_TRUE(world.run_until([&] { return is_stopped(world.server().pid()); }));
    base::Instant before = world.loop().now();
    EXPECT_FALSE(world.try_connect(options).has_value());
    EXPECT_LT(world.loop().now() - before, milliseconds(1'900));
    ASSERT_TRUE(world.run_until([&] { return !bus->connected(); }));
    world.linger(milliseconds(200));  // by now it is in the middle of an attempt
    before = world.loop().now();
    bus.reset();
    EXPECT_LT(world.loop().now() - before, milliseconds(900));
    world.server().signal(SIGCONT);
}

TEST(NatsServerPreparation, refuses_what_is_not_safe_and_keeps_what_was_pushed) {
    const TestCertificate certificate;
    NatsServerOptions options;
    options.operator_jwt = "o";
    options.account_public_key = "AAA";
    options.account_jwt = "first";
    options.host = "0.0.0.0";
    const auto refused = prepare_nats_server(options);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, base::ErrorKind::bad_input);
    options.certificate_file = certificate.certificate_file();
    EXPECT_FALSE(prepare_nats_server(options).has_value());
    options.key_file = "/nowhere/key.pem";
    EXPECT_FALSE(prepare_nats_server(options).has_value());
    options.key_file = certificate.key_file();
    options.resolver_folder = certificate.folder() + "/accounts";
    ASSERT_TRUE(prepare_nats_server(options).has_value());
    options.account_jwt = "second";
    ASSERT_TRUE(prepare_nats_server(options).has_value());
    std::string kept;
    std::ifstream(options.resolver_folder + "/AAA.jwt") >> kept;
    EXPECT_EQ(kept, "first");
    const std::string text = nats_server_config(options);
    EXPECT_NE(text.find("type: full"), std::string::npos) << text;
    EXPECT_NE(text.find("cert_file: "), std::string::npos) << text;
    EXPECT_EQ(text.find("MEMORY"), std::string::npos) << text;
}

}  // namespace
}  // namespace idlewatt::bus
