// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What every loop must do, the real one and the simulated one.
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/asio_loop.hpp"
#include "base/prng.hpp"
#include "base/simulated_loop.hpp"

namespace idlewatt::base {
namespace {

constexpr Duration loop_patience = seconds(20);

struct RealRunner {
    AsioLoop loop;
    template <class Condition>
    bool run_until(const Condition& condition) {
        const Instant end = loop.now() + loop_patience;
        while (!condition() && loop.now() < end)
            loop.run_for(milliseconds(1));
        return condition();
    }
};

struct SimulatedRunner {
    SimulatedLoop loop;
    template <class Condition>
    bool run_until(const Condition& condition) {
        return loop.run_while_not(condition, loop_patience);
    }
};

template <class Runner>
class LoopConformance : public testing::Test {
protected:
    Runner runner_;
    Loop& loop_ = runner_.loop;
    std::string trace_;

    Loop::Task say(char c) {
        return [this, c] { trace_ += c; };
    }
    bool run_until_said(std::size_t letters) {
        return runner_.run_until([this, letters] { return trace_.size() >= letters; });
    }
};

using Runners = testing::Types<RealRunner, SimulatedRunner>;
TYPED_TEST_SUITE(LoopConformance, Runners);

TYPED_TEST(LoopConformance, RunsTasksInOrderOfPosting) {
    for (char c = 'a'; c <= 'j'; ++c)
        this->loop_.post(this->say(c));
    EXPECT_EQ(this->trace_, "");
    ASSERT_TRUE(this->run_until_said(10));
    EXPECT_EQ(this->trace_, "abcdefghij");
}

TYPED_TEST(LoopConformance, RunsTimersInOrderOfTheirTimesAndNeverEarly) {
    Loop& loop = this->loop_;
    const Instant start = loop.now();
    std::vector<Duration> waited;
    for (const std::int64_t ms : {30, 10, 20}) {
        loop.after(milliseconds(ms),
                   [&loop, &waited, start] { waited.push_back(loop.now() - start); });
    }
    ASSERT_TRUE(this->runner_.run_until([&waited] { return waited.size() == 3; }));
    EXPECT_GE(waited[0], milliseconds(10));
    EXPECT_GE(waited[1], milliseconds(20));
    EXPECT_GE(waited[2], milliseconds(30));
    EXPECT_TRUE(waited[0] <= waited[1] && waited[1] <= waited[2]);
}

TYPED_TEST(LoopConformance, NeverRunsATaskInsideTheCall) {
    this->loop_.post([this] {
        this->loop_.after(Duration{}, this->say('t'));
        this->loop_.after(Duration{-5}, this->say('n'));
        this->loop_.post(this->say('p'));
        EXPECT_EQ(this->trace_, "");
        this->trace_ += 'x';
    });
    ASSERT_TRUE(this->run_until_said(4));
    EXPECT_EQ(this->trace_[0], 'x');
}

TYPED_TEST(LoopConformance, CancelledTimersStaySilent) {
    Loop& loop = this->loop_;
    const TimerId first = loop.after(milliseconds(5), this->say('a'));
    const TimerId second = loop.after(milliseconds(6), this->say('b'));
    loop.after(milliseconds(7), this->say('c'));
    loop.cancel(first);
    loop.cancel(first);
    ASSERT_TRUE(this->run_until_said(1));
    loop.cancel(second);  // fired or not: no effect beyond itself
    loop.cancel(TimerId{987'654});
    loop.after(milliseconds(5), this->say('d'));
    ASSERT_TRUE(this->runner_.run_until([this] { return this->trace_.back() == 'd'; }));
    EXPECT_EQ(this->trace_, "bcd");
}

// Two timers that are due together: the first may still stop the second.
TYPED_TEST(LoopConformance, ATaskMayCancelOneThatIsDue) {
    Loop& loop = this->loop_;
    TimerId other{};
    loop.after(milliseconds(2), [&] {
        loop.cancel(other);
        this->trace_ += 'a';
    });
    other = loop.after(milliseconds(2), this->say('b'));
    loop.after(milliseconds(10), this->say('c'));
    ASSERT_TRUE(this->runner_.run_until(
        [this] { return !this->trace_.empty() && this->trace_.back() == 'c'; }));
    EXPECT_EQ(this->trace_, "ac");
}

TYPED_TEST(LoopConformance, ATaskMayArmTheNext) {
    int left = 20;
    std::function<void()> again = [&] {
        if (--left > 0)
            this->loop_.after(microseconds(100), again);
    };
    again();
    EXPECT_TRUE(this->runner_.run_until([&left] { return left == 0; }));
}

TYPED_TEST(LoopConformance, ClocksGoForward) {
    const Instant now = this->loop_.now();
    const WallTime wall = this->loop_.wall_now();
    bool later = false;
    this->loop_.after(milliseconds(5), [&later] { later = true; });
    ASSERT_TRUE(this->runner_.run_until([&later] { return later; }));
    EXPECT_GE(this->loop_.now() - now, milliseconds(5));
    EXPECT_GT(this->loop_.wall_now().us, wall.us - 1'000'000'000);
}

TEST(AsioLoop, TakesTasksFromForeignThreads) {
    RealRunner runner;
    int count = 0;
    constexpr int each = 1'000;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&runner, &count] {
            for (int i = 0; i < each; ++i)
                runner.loop.post([&count] { ++count; });
        });
    }
    EXPECT_TRUE(runner.run_until([&count] { return count == 4 * each; }));
    for (std::thread& thread : threads)
        thread.join();
}

TEST(AsioLoop, StopEndsRun) {
    AsioLoop loop;
    loop.after(milliseconds(1), [&loop] { loop.stop(); });
    loop.run();
    bool again = false;
    loop.post([&] {
        again = true;
        loop.stop();
    });
    loop.run();
    EXPECT_TRUE(again);
}

// The same seed gives the same run, task by task.
TEST(SimulatedLoop, IsAFunctionOfItsInputs) {
    const auto run = [](std::uint64_t seed) {
        SimulatedLoop loop;
        Prng prng(seed);
        std::string trace;
        std::vector<TimerId> timers;
        std::function<void(int)> spawn = [&](int id) {
            trace += std::to_string(id) + "@" + std::to_string(loop.now().ns) + " ";
            if (trace.size() > 20'000)
                return;
            for (std::uint64_t i = prng.below(3); i > 0; --i) {
                const int next = static_cast<int>(prng.below(100));
                const Duration delay{static_cast<std::int64_t>(prng.below(50))};
                timers.push_back(loop.after(delay, [&spawn, next] { spawn(next); }));
            }
            if (prng.chance(0.1))
                loop.cancel(timers[prng.below(timers.size() + 1) % timers.size()]);
        };
        for (int i = 0; i < 50; ++i)
            loop.post([&spawn, i] { spawn(i); });
        loop.run_for(milliseconds(1));
        return trace;
    };
    EXPECT_EQ(run(5), run(5));
    EXPECT_NE(run(5), run(6));
}

TEST(SimulatedLoop, MovesItsClockToTheEnd) {
    SimulatedLoop loop(WallTime{1'000'000});
    int runs = 0;
    loop.after(seconds(2), [&runs] { ++runs; });
    loop.run_until(Instant{seconds(1).ns});
    EXPECT_EQ(loop.now(), Instant{seconds(1).ns});
    EXPECT_EQ(runs, 0);
    loop.run_for(seconds(1));
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(loop.wall_now(), WallTime{3'000'000});
    EXPECT_FALSE(loop.run_one());
    EXPECT_FALSE(loop.run_while_not([] { return false; }, seconds(1)));
    EXPECT_EQ(loop.now(), Instant{seconds(3).ns});
}

}  // namespace
}  // namespace idlewatt::base
