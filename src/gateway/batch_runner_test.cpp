// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Lines of a batch over a bus that loses some of what is said, with a coordinator that dies, and
// cars that are free now and then: each line's result is committed once.
#include "gateway/batch_runner.hpp"

#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "base/simulated_loop.hpp"
#include "bus/memory_bus.hpp"

namespace idlewatt::gateway {
namespace {

constexpr std::uint32_t lines_of_batch = 300;

// What a coordinator keeps of a batch, and how it answers.
class LineOffice {
public:
    wire::BatchWork hand_out(const wire::BatchAsk& ask, base::Instant now) {
        for (const std::uint64_t lease : ask.running_leases)
            named[lease] = now;
        std::erase_if(named,
                      [&](const auto& one) { return now - one.second > wire::batch_lease_life; });
        wire::BatchWork work;
        for (std::uint32_t line = 1; line <= lines_of_batch; ++line) {
            if (work.items.size() >= ask.items_max)
                break;
            if (committed.contains(line) || named.contains(lease_of[line]))
                continue;
            lease_of[line] = ++leases;
            named[leases] = now;
            wire::BatchItem item;
            item.lease = leases;
            item.batch_id = "batch_1";
            item.line = line;
            item.key = core::KeyId("k");
            item.endpoint = "/v1/chat/completions";
            item.body = "{}";
            work.items.push_back(item);
        }
        return work;
    }

    std::map<std::uint64_t, base::Instant> named;
    std::map<std::uint32_t, std::uint64_t> lease_of;
    std::map<std::uint32_t, int> committed;  // how often its result came
    std::uint64_t leases = 0;
};

class BatchRunnerTest : public testing::Test {
protected:
    void serve() {
        asks = office->subscribe(subjects.all_batch_asks(), [this](const bus::Message& message) {
            const auto ask = wire::decode_batch_ask(message.payload);
            ASSERT_TRUE(ask) << ask.error().message;
            EXPECT_EQ(wire::parse_gateway(message.subject), core::GatewayId("g"));
            EXPECT_EQ(ask->lacks_key_book, lacks_key_book);
            EXPECT_FALSE(ask->lacks_static_key);
            const std::string work = wire::encode(lines.hand_out(*ask, loop.now()));
            if (!prng.chance(lost))
                office->reply(message, work);
        });
        results =
            office->subscribe(subjects.all_batch_results(), [this](const bus::Message& message) {
                const auto result = wire::decode_batch_result(message.payload);
                ASSERT_TRUE(result) << result.error().message;
                EXPECT_TRUE(result->status_code == 200 || (lost > 0 && result->status_code == 503));
                ++lines.committed[result->line];
                if (!prng.chance(lost))
                    office->reply(
                        message,
                        wire::encode(wire::BatchResultAnswer{wire::BatchResultState::committed}));
            });
    }

    std::unique_ptr<BatchRunner> runner() {
        BatchRunner::Mind mind;
        mind.room = [this] {
            return Room{true, slots - std::min<std::size_t>(slots, open), 0, false};
        };
        mind.start = [this](const BatchAsked& line) {
            ++open;
            most_open = std::max(most_open, open);
            const auto takes = base::milliseconds(static_cast<std::int64_t>(prng.below(4'000)));
            loop.after(takes, [this, request = line.request] {
                --open;
                if (running)
                    running->answered(request, {prng.chance(lost) ? 503 : 200, {}, "{}"});
            });
        };
        mind.stop = [](http::RequestId) {};
        mind.lacks_key_book = lacks_key_book;
        return std::make_unique<BatchRunner>(loop, *bus, subjects, core::GatewayId("g"),
                                             std::move(mind));
    }

    void pass(base::Duration span) {
        for (const base::Instant end = loop.now() + span; loop.now() < end;) {
            if (running)
                running->look();
            loop.run_for(tick_period);
        }
    }

    base::SimulatedLoop loop;
    bus::MemoryHub hub{loop, 1};
    wire::Subjects subjects{"c1"};
    std::unique_ptr<bus::Bus> bus = hub.connect("g", "g");
    std::unique_ptr<bus::Bus> office = hub.connect("coordinator", "coordinator");
    bus::SubscriptionId asks{};
    bus::SubscriptionId results{};
    LineOffice lines;
    base::Prng prng{7};
    double lost = 0.0;
    bool lacks_key_book = false;
    std::size_t slots = 6;
    std::size_t open = 0;
    std::size_t most_open = 0;
    std::unique_ptr<BatchRunner> running;
};

TEST_F(BatchRunnerTest, RunsABatchOnTheSlotsThereAre) {
    serve();
    running = runner();
    pass(base::minutes(3));
    EXPECT_EQ(lines.committed.size(), lines_of_batch);
    for (const auto& [line, times] : lines.committed)
        EXPECT_EQ(times, 1) << line;
    EXPECT_EQ(most_open, slots);
    EXPECT_EQ(running->core().lines_held(), 0U);
}

// Else it would be given lines that it can only give back.
TEST_F(BatchRunnerTest, SaysWhoseLinesItCannotRun) {
    lacks_key_book = true;
    serve();
    running = runner();
    pass(base::seconds(5));
    EXPECT_GT(lines.committed.size(), 0U);
}

TEST_F(BatchRunnerTest, WaitsForACoordinatorThatIsAwayAndLosesNothing) {
    lost = 0.2;
    serve();
    running = runner();
    pass(base::seconds(20));
    const std::size_t before = lines.committed.size();
    EXPECT_GT(before, 10U);
    office->unsubscribe(asks);
    office->unsubscribe(results);
    pass(base::seconds(30));
    EXPECT_EQ(lines.committed.size(), before);
    EXPECT_GT(running->core().lines_held(), 0U);
    serve();
    pass(base::minutes(10));
    EXPECT_EQ(lines.committed.size(), lines_of_batch);
    EXPECT_EQ(running->core().lines_held(), 0U);
    EXPECT_EQ(running->core().bytes_held(), 0U);
}

TEST_F(BatchRunnerTest, AnotherOneTakesUpWhatADeadOneHeld) {
    serve();
    running = runner();
    pass(base::seconds(20));
    running.reset();
    loop.run_for(base::seconds(10));
    running = runner();
    pass(base::minutes(5));
    EXPECT_EQ(lines.committed.size(), lines_of_batch);
}

}  // namespace
}  // namespace idlewatt::gateway
