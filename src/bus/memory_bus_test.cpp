// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What only the twin has: weather, partition and determinism. What both buses promise stands in
// tests/conformance.
#include "bus/memory_bus.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "base/simulated_loop.hpp"

namespace idlewatt::bus {
namespace {

using base::milliseconds;

// A crowd that talks at random; the transcript is everything that anybody heard, with its time.
std::string transcript(std::uint64_t seed, const Weather& weather) {
    base::SimulatedLoop loop;
    MemoryHub hub(loop, seed);
    hub.set_weather(weather);
    base::Prng prng(seed);
    std::string heard;
    std::vector<std::unique_ptr<Bus>> crowd;
    const auto write = [&](int who, const std::string& what) {
        heard += std::to_string(loop.now().ns) + ' ' + std::to_string(who) + ' ' + what + '\n';
    };
    for (int i = 0; i < 6; ++i) {
        crowd.push_back(hub.connect("user" + std::to_string(i), "label"));
        Bus& bus = *crowd.back();
        bus.subscribe("talk.>", [&, i](const Message& m) { write(i, m.subject + m.payload); });
        bus.subscribe("ask." + std::to_string(i),
                      [&bus](const Message& m) { bus.reply(m, "yes"); });
        bus.on_state([&, i](bool up) { write(i, up ? "up" : "down"); });
        bus.on_departure([&, i](const Departure& d) { write(i, "gone " + d.name); });
    }
    for (int step = 0; step < 400; ++step) {
        const auto who = prng.below(6);
        const std::string other = std::to_string(prng.below(8));
        if (crowd[who]) {
            crowd[who]->publish("talk." + other, std::to_string(step));
            crowd[who]->request("ask." + other, "?", milliseconds(5),
                                [&, who](ReplyStatus status, const Message&) {
                                    write(static_cast<int>(who),
                                          "reply " + std::to_string(static_cast<int>(status)));
                                });
        }
        if (prng.chance(0.02))
            hub.partition("user" + other);
        if (prng.chance(0.05))
            hub.heal("user" + other);
        if (prng.chance(0.01))
            hub.set_server_up(false);
        if (prng.chance(0.2))
            hub.set_server_up(true);
        if (prng.chance(0.003))
            crowd[who].reset();
        loop.run_for(base::microseconds(static_cast<std::int64_t>(prng.below(2'000))));
    }
    loop.run_for(base::seconds(1));
    return heard;
}

TEST(MemoryBus, a_seed_replays_everything) {
    Weather weather;
    weather.latency_max = milliseconds(3);
    weather.loss = 0.05;
    weather.duplication = 0.05;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        weather.reorder = seed % 2 == 0;
        const std::string first = transcript(seed, weather);
        EXPECT_GT(first.size(), 5'000U);
        EXPECT_EQ(first, transcript(seed, weather));
    }
    EXPECT_NE(transcript(1, weather), transcript(2, weather));
}

struct MemoryBusTest : testing::Test {
    base::SimulatedLoop loop;
    MemoryHub hub{loop, 42};
    std::unique_ptr<Bus> a = hub.connect("a", "a/1");
    std::unique_ptr<Bus> b = hub.connect("b", "b/1");
    std::vector<int> heard;

    void listen(Bus& bus) {
        bus.subscribe("n.*", [this](const Message& m) { heard.push_back(std::stoi(m.payload)); });
    }
    void send(int from, int to) {
        for (int i = from; i < to; ++i)
            a->publish("n.x", std::to_string(i));
    }
};

TEST_F(MemoryBusTest, order_holds_however_the_latency_varies) {
    hub.set_weather({milliseconds(1), milliseconds(50), 0, 0, false});
    listen(*b);
    for (int i = 0; i < 1'000; ++i) {
        send(i, i + 1);
        loop.run_for(base::microseconds(500));
    }
    loop.run_for(base::seconds(1));
    ASSERT_EQ(heard.size(), 1'000U);
    EXPECT_TRUE(std::is_sorted(heard.begin(), heard.end()));
}

TEST_F(MemoryBusTest, weather_loses_doubles_and_reorders_as_often_as_told) {
    listen(*b);
    hub.set_weather({milliseconds(1), milliseconds(50), 0.1, 0.2, true});
    send(0, 10'000);
    loop.run_for(base::seconds(1));
    EXPECT_NEAR(static_cast<double>(heard.size()), 10'000 * 0.9 * 1.2, 300);
    EXPECT_FALSE(std::is_sorted(heard.begin(), heard.end()));
}

TEST_F(MemoryBusTest, partition_swallows_both_directions_until_healed) {
    std::vector<bool> states;
    std::vector<std::string> gone;
    listen(*b);
    b->on_state([&](bool up) { states.push_back(up); });
    a->on_departure([&](const Departure& d) { gone.push_back(d.label); });
    send(0, 1);  // on its way when the cable breaks
    hub.partition("b");
    loop.run_for(milliseconds(10));
    send(1, 2);
    b->publish("n.x", "7");
    loop.run_for(milliseconds(10));
    EXPECT_TRUE(heard.empty());
    EXPECT_FALSE(b->connected());
    EXPECT_EQ(b->losses().published_while_disconnected, 1U);
    EXPECT_EQ(gone, std::vector<std::string>{"b/1"});
    hub.heal("b");
    loop.run_for(milliseconds(10));
    send(2, 3);
    loop.run_for(milliseconds(10));
    EXPECT_EQ(heard, std::vector<int>{2});
    EXPECT_EQ(states, (std::vector<bool>{false, true}));
    EXPECT_TRUE(a->connected());
}

TEST_F(MemoryBusTest, a_server_that_flaps_within_one_task_still_ends_requests) {
    ReplyStatus status = ReplyStatus::answered;
    std::vector<bool> states;
    a->on_state([&](bool up) { states.push_back(up); });
    b->subscribe("ask", [](const Message&) {});
    a->request("ask", "", base::seconds(10), [&](ReplyStatus s, const Message&) { status = s; });
    hub.set_server_up(false);
    hub.set_server_up(true);
    loop.run_for(milliseconds(10));
    EXPECT_EQ(status, ReplyStatus::disconnected);
    EXPECT_EQ(states, (std::vector<bool>{false, true}));
    EXPECT_TRUE(a->connected());
}

TEST_F(MemoryBusTest, a_connection_opened_while_the_server_is_down_comes_up_with_it) {
    hub.set_server_up(false);
    auto c = hub.connect("c", "c/1");
    EXPECT_FALSE(c->connected());
    hub.set_server_up(true);
    loop.run_for(milliseconds(10));
    EXPECT_TRUE(c->connected());
}

TEST_F(MemoryBusTest, a_dead_server_announces_no_departure) {
    int gone = 0;
    a->on_departure([&](const Departure&) { ++gone; });
    hub.set_server_up(false);
    b.reset();
    hub.set_server_up(true);
    loop.run_for(milliseconds(10));
    EXPECT_EQ(gone, 0);
}

}  // namespace
}  // namespace idlewatt::bus
