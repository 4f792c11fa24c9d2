// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What every bus promises, checked on the twin and on a real nats-server.
#include <algorithm>

#include <gtest/gtest.h>

#include "bus_world.hpp"

namespace idlewatt::bus {
namespace {

using base::milliseconds;
using base::seconds;

struct BusConformance : testing::TestWithParam<const char*> {
    std::unique_ptr<BusWorld> world =
        GetParam() == std::string("memory") ? memory_world() : std::make_unique<NatsWorld>();
    std::unique_ptr<Bus> a = world->connect("a", "a/1");
    std::unique_ptr<Bus> b = world->connect("b", "b/7");
    std::vector<std::string> heard;

    Bus::OnMessage listener(const std::string& who) {
        return
            [this, who](const Message& m) { heard.push_back(who + m.subject + '=' + m.payload); };
    }
    bool hears(std::size_t count) {
        return world->run_until([this, count] { return heard.size() >= count; });
    }
};

INSTANTIATE_TEST_SUITE_P(Bus, BusConformance, testing::Values("memory", "nats"),
                         [](const auto& param) { return param.param; });

TEST_P(BusConformance, wildcards_choose_and_every_matching_subscription_hears) {
    b->subscribe("x.*.z", listener("star "));
    b->subscribe("x.>", listener("rest "));
    b->subscribe("x.y.z", listener("exact "));
    a->subscribe("x.y.*", listener("own "));
    world->settle(*a);
    world->settle(*b);
    a->publish("x.y.z", "1");
    a->publish("x.y", "2");
    a->publish("x", "3");
    a->publish("x.y.z.w", "4");
    a->publish("xx.y.z", "5");
    a->publish("x.q.z", "6");
    ASSERT_TRUE(hears(8));
    world->linger();
    std::sort(heard.begin(), heard.end());
    EXPECT_EQ(heard, (std::vector<std::string>{"exact x.y.z=1", "own x.y.z=1", "rest x.q.z=6",
                                               "rest x.y.z.w=4", "rest x.y.z=1", "rest x.y=2",
                                               "star x.q.z=6", "star x.y.z=1"}));
}

TEST_P(BusConformance, ten_thousand_messages_arrive_in_order_across_subscriptions) {
    constexpr int count = 10'000;
    std::vector<int> order;
    b->subscribe("even.*", [&](const Message& m) { order.push_back(std::stoi(m.payload)); });
    b->subscribe("odd.>", [&](const Message& m) { order.push_back(std::stoi(m.payload)); });
    world->settle(*b);
    for (int i = 0; i < count; ++i) {
        a->publish(i % 2 == 0 ? "even.x" : "odd.x.y", std::to_string(i));
    }
    ASSERT_TRUE(world->run_until([&] { return order.size() == count; }));
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    EXPECT_EQ(a->losses().published_too_fast, 0U);
}

TEST_P(BusConformance, payloads_are_bytes_up_to_the_limit) {
    std::string bytes;
    for (int i = 0; i < 256; ++i)
        bytes += static_cast<char>(i);
    const std::string large(payload_bytes_max, 'x');
    std::vector<std::string> got;
    b->subscribe("p", [&](const Message& m) { got.push_back(m.payload); });
    world->settle(*b);
    for (const std::string& payload : {bytes, std::string(), large})
        a->publish("p", payload);
    ASSERT_TRUE(world->run_until([&] { return got.size() == 3; }));
    EXPECT_EQ(got[0], bytes);
    EXPECT_TRUE(got[1].empty());
    EXPECT_EQ(got[2], large);
}

TEST_P(BusConformance, a_request_has_exactly_one_end) {
    std::vector<std::string> ends;
    const auto end = [&](ReplyStatus status, const Message& m) {
        ends.push_back(std::to_string(static_cast<int>(status)) + m.payload);
    };
    b->subscribe("echo", [&](const Message& m) {
        EXPECT_FALSE(m.reply.empty());
        b->reply(m, m.payload + "!");
        b->reply(m, "again");
    });
    b->subscribe("silent", listener(""));
    world->settle(*b);
    a->request("echo", "hi", seconds(60), end);
    EXPECT_TRUE(ends.empty());
    ASSERT_TRUE(world->run_until([&] { return ends.size() == 1; }));
    a->request("void", "", seconds(60), end);
    ASSERT_TRUE(world->run_until([&] { return ends.size() == 2; }));
    a->request("silent", "", milliseconds(50), end);
    ASSERT_TRUE(world->run_until([&] { return ends.size() == 3; }));
    world->linger();
    EXPECT_EQ(ends, (std::vector<std::string>{"0hi!", "1", "2"}));
}

TEST_P(BusConformance, publish_or_tells_when_nobody_listens_and_looks_like_publish_otherwise) {
    int told = 0;
    std::string reply = "unset";
    b->subscribe("here", [&](const Message& m) { reply = m.reply; });
    world->settle(*b);
    a->publish_or("here", "1", [&] { told += 100; });
    a->publish_or("nowhere", "2", [&] { ++told; });
    ASSERT_TRUE(world->run_until([&] { return told > 0 && reply != "unset"; }));
    world->linger();
    EXPECT_EQ(told, 1);
    EXPECT_EQ(reply, "");
}

TEST_P(BusConformance, a_callback_may_unsubscribe_itself) {
    SubscriptionId id{};
    id = b->subscribe("once", [&](const Message&) {
        heard.emplace_back("x");
        b->unsubscribe(id);
    });
    world->settle(*b);
    for (int i = 0; i < 5; ++i)
        a->publish("once", "");
    ASSERT_TRUE(hears(1));
    world->linger();
    EXPECT_EQ(heard.size(), 1U);
    int told = 0;
    a->publish_or("once", "", [&] { ++told; });
    EXPECT_TRUE(world->run_until([&] { return told == 1; }));
}

TEST_P(BusConformance, a_callback_may_close_its_connection_and_nothing_comes_after) {
    b->subscribe("end.*", [&](const Message&) {
        heard.emplace_back("x");
        b.reset();
    });
    b->request("silent", "", milliseconds(20), [&](ReplyStatus, const Message&) {
        if (!b)
            heard.emplace_back("late");
    });
    b->subscribe("silent", [](const Message&) {});
    world->settle(*b);
    for (int i = 0; i < 5; ++i)
        a->publish("end.x", "");
    ASSERT_TRUE(world->run_until([this] { return b == nullptr; }));
    world->linger();
    EXPECT_EQ(heard, std::vector<std::string>{"x"});
}

TEST_P(BusConformance, what_was_published_before_closing_still_goes_out) {
    b->subscribe("last", listener(""));
    world->settle(*b);
    a->publish("last", "words");
    a.reset();
    EXPECT_TRUE(hears(1));
}

TEST_P(BusConformance, a_closed_connection_is_announced_with_its_name_and_label) {
    std::vector<std::string> gone;
    a->on_departure([&](const Departure& d) { gone.push_back(d.name + ' ' + d.label); });
    auto c = world->connect("c", "c/99");
    world->settle(*a);
    world->settle_system(*a);
    c.reset();
    ASSERT_TRUE(
        world->run_until([&] { return std::count(gone.begin(), gone.end(), "c c/99") > 0; }));
    EXPECT_EQ(std::count(gone.begin(), gone.end(), "c c/99"), 1);
}

TEST_P(BusConformance, subscriptions_survive_the_death_of_the_server) {
    std::vector<bool> states;
    ReplyStatus open_request = ReplyStatus::answered;
    ReplyStatus down_request = ReplyStatus::answered;
    b->subscribe("s.*", listener(""));
    const SubscriptionId gone = b->subscribe("gone", listener(""));
    b->subscribe("silent", [](const Message&) {});
    world->settle(*b);
    a->on_state([&](bool up) { states.push_back(up); });
    a->request("silent", "", seconds(60),
               [&](ReplyStatus status, const Message&) { open_request = status; });
    world->linger();

    world->stop_server();
    ASSERT_TRUE(world->run_until([this] { return !a->connected() && !b->connected(); }));
    EXPECT_EQ(open_request, ReplyStatus::disconnected);
    a->publish("s.down", "must not arrive");
    a->request("silent", "", seconds(60),
               [&](ReplyStatus status, const Message&) { down_request = status; });
    ASSERT_TRUE(world->run_until([&] { return down_request == ReplyStatus::disconnected; }));
    b->unsubscribe(gone);
    b->subscribe("new", listener(""));

    world->start_server();
    ASSERT_TRUE(world->run_until([this] { return a->connected() && b->connected(); }));
    a->publish("s.up", "1");
    a->publish("gone", "2");
    a->publish("new", "3");
    ASSERT_TRUE(hears(2));
    world->linger();
    EXPECT_EQ(heard, (std::vector<std::string>{"s.up=1", "new=3"}));
    EXPECT_EQ(states, (std::vector<bool>{false, true}));
    EXPECT_EQ(a->losses().published_while_disconnected, 1U);
}

TEST_P(BusConformance, a_renewed_connection_costs_what_a_lost_one_costs_and_no_more) {
    std::vector<bool> states;
    std::vector<std::string> gone;
    ReplyStatus open_request = ReplyStatus::answered;
    b->subscribe("s", listener(""));
    a->subscribe("back", listener(""));
    // Its system connection is renewed, too, under another name.
    a->on_departure([&](const Departure& d) {
        if (d.name == "b")
            gone.push_back(d.label);
    });
    world->settle(*a);
    world->settle(*b);
    world->settle_system(*a);
    b->on_state([&](bool up) { states.push_back(up); });
    b->subscribe("silent", [](const Message&) {});
    b->request("silent", "", seconds(60),
               [&](ReplyStatus status, const Message&) { open_request = status; });
    world->settle(*b);
    b->reauthenticate();
    EXPECT_TRUE(states.empty());
    ASSERT_TRUE(world->run_until([&] { return states.size() == 2; }));
    EXPECT_EQ(states, (std::vector<bool>{false, true}));
    EXPECT_EQ(open_request, ReplyStatus::disconnected);
    ASSERT_TRUE(world->run_until([&] { return !gone.empty(); }));
    EXPECT_EQ(gone, std::vector<std::string>{"b/7"});
    a->publish("s", "1");
    b->publish("back", "2");
    ASSERT_TRUE(hears(2));
    world->linger();
    EXPECT_EQ(heard.size(), 2U);
}

TEST_P(BusConformance, a_system_request_has_exactly_one_end) {
    std::vector<ReplyStatus> ends;
    const auto end = [&](ReplyStatus status, const Message&) { ends.push_back(status); };
    a->system_request("$SYS.REQ.SERVER.PING", "", seconds(60), end);
    EXPECT_TRUE(ends.empty());
    ASSERT_TRUE(world->run_until([&] { return ends.size() == 1; }));
    a->system_request("$SYS.REQ.NOBODY", "", seconds(60), end);
    ASSERT_TRUE(world->run_until([&] { return ends.size() == 2; }));
    world->stop_server();
    ASSERT_TRUE(world->run_until([this] { return !a->connected(); }));
    world->linger();
    a->system_request("$SYS.REQ.SERVER.PING", "", seconds(60), end);
    ASSERT_TRUE(world->run_until([&] { return ends.size() == 3; }));
    world->linger();
    EXPECT_EQ(ends, (std::vector<ReplyStatus>{ReplyStatus::answered, ReplyStatus::no_responders,
                                              ReplyStatus::disconnected}));
}

TEST_P(BusConformance, a_callback_may_close_its_connection_when_the_server_dies) {
    for (int i = 0; i < 3; ++i) {
        a->request("silent", "", seconds(60), [this](ReplyStatus, const Message&) {
            heard.emplace_back("end");
            a.reset();
        });
    }
    b->subscribe("silent", [](const Message&) {});
    a->on_state([this](bool) { heard.emplace_back("state"); });
    world->stop_server();
    ASSERT_TRUE(hears(1));
    world->linger();
    EXPECT_EQ(heard.size(), 1U);
}

}  // namespace
}  // namespace idlewatt::bus
