// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How lines of batches are asked for, run and reported, by events.
#include "gateway/batch_core.hpp"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "wire/api_error.hpp"

namespace idlewatt::gateway {
namespace {

template <class T>
std::vector<T> only(const BatchEffects& effects) {
    std::vector<T> found;
    for (const BatchEffect& effect : effects) {
        if (const auto* one = std::get_if<T>(&effect))
            found.push_back(*one);
    }
    return found;
}

class BatchCoreTest : public testing::Test {
protected:
    static Room room_of(std::uint64_t free, std::size_t served = 0, bool waits = false) {
        return {true, free, served, waits};
    }
    static http::Response answer(int status, const std::string& body = "{}") {
        return {status, {{"x-request-id", "req_1"}}, body};
    }

    BatchEffects look(const Room& room, base::Duration later = base::milliseconds(50)) {
        now = now + later;
        return core.handle(RoomSeen{room}, now);
    }
    // The answer to an ask: so many lines with leases from `first` on.
    void give(std::uint64_t first, std::size_t count, std::size_t bytes = 2) {
        wire::BatchWork work;
        for (std::size_t i = 0; i < count; ++i) {
            wire::BatchItem item;
            item.lease = first + i;
            item.batch_id = "batch_1";
            item.line = static_cast<std::uint32_t>(first + i);
            item.key = core::KeyId("k");
            item.endpoint = "/v1/chat/completions";
            item.body = std::string(bytes, ' ');
            work.items.push_back(item);
        }
        (void)core.handle(WorkCame{work}, now);
    }
    // Lines that run, one for each slot that is free.
    std::vector<StartLine> run(std::size_t count, std::uint64_t first = 1) {
        EXPECT_EQ(only<AskForWork>(look(room_of(count))).size(), 1U);
        give(first, count);
        const BatchEffects effects = look(room_of(count));
        // As many again are asked for; there are none.
        EXPECT_EQ(only<AskForWork>(effects).size(), 1U);
        (void)core.handle(WorkCame{}, now);
        return only<StartLine>(effects);
    }
    BatchEffects say(const StartLine& line, const http::Response& response) {
        return core.handle(LineAnswered{line.line.request, response}, now);
    }

    BatchCore core;
    base::Instant now{1'000'000'000};
};

TEST_F(BatchCoreTest, NothingIsAskedForWhileAClientNeedsTheCars) {
    EXPECT_TRUE(look(room_of(0)).empty());
    EXPECT_TRUE(look(room_of(4, 0, true)).empty());
    Room cut_off = room_of(4);
    cut_off.connected = false;
    EXPECT_TRUE(look(cut_off).empty());
    const auto asks = only<AskForWork>(look(room_of(4)));
    ASSERT_EQ(asks.size(), 1U);
    EXPECT_EQ(asks[0].ask.items_max, 8U);
    EXPECT_TRUE(asks[0].ask.running_leases.empty());
    // One question at a time.
    EXPECT_TRUE(look(room_of(4)).empty());
}

TEST_F(BatchCoreTest, ClientsFindTheSlotsThatTheyHadLately) {
    EXPECT_EQ(only<AskForWork>(look(room_of(1, 3))).size(), 1U);
    give(1, 4);
    // Two of the three clients are gone for a moment.
    EXPECT_EQ(only<StartLine>(look(room_of(3, 1))).size(), 1U);
    EXPECT_EQ(only<StartLine>(look(room_of(2, 1))).size(), 0U);
    // They do not come back.
    (void)look(room_of(2, 1), batch_peak_period);
    EXPECT_EQ(only<StartLine>(look(room_of(2, 1), batch_peak_period)).size(), 2U);
}

TEST_F(BatchCoreTest, LinesRunOnTheSlotsThatAreFreeAndNoMore) {
    EXPECT_EQ(only<AskForWork>(look(room_of(2))).size(), 1U);
    give(1, 4);
    const auto first = only<StartLine>(look(room_of(2)));
    ASSERT_EQ(first.size(), 2U);
    EXPECT_TRUE(is_batch(first[0].line.request));
    EXPECT_NE(first[0].line.request, first[1].line.request);
    EXPECT_EQ(first[0].line.key, core::KeyId("k"));
    EXPECT_TRUE(only<StartLine>(look(room_of(0))).empty());
    (void)say(first[0], answer(200));
    EXPECT_EQ(only<StartLine>(look(room_of(1))).size(), 1U);
    EXPECT_EQ(core.lines_running(), 2U);
}

TEST_F(BatchCoreTest, WhatIsHeldIsNamedInTimeAlsoWhileNothingIsFree) {
    (void)run(3);
    base::Instant named = now;
    for (base::Duration at; at < base::minutes(2); at = at + base::milliseconds(50)) {
        for (const AskForWork& ask : only<AskForWork>(look(room_of(0)))) {
            EXPECT_EQ(ask.ask.items_max, 0U);
            EXPECT_EQ(ask.ask.running_leases, (std::vector<std::uint64_t>{1, 2, 3}));
            named = now;
            // Every other one is lost.
            if (at.ns % 2 == 0)
                (void)core.handle(WorkFailed{}, now);
            else
                give(9, 0);
        }
        ASSERT_LT(now - named, base::seconds(6));
    }
}

TEST_F(BatchCoreTest, AResultIsRepeatedUntilItIsCommitted) {
    const auto lines = run(1);
    auto sent = only<SendResult>(say(lines.at(0), answer(200, "{\"a\":1}")));
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].result.lease, 1U);
    EXPECT_EQ(sent[0].result.batch_id, "batch_1");
    EXPECT_EQ(sent[0].result.line, 1U);
    EXPECT_EQ(sent[0].result.status_code, 200U);
    EXPECT_EQ(sent[0].result.request_id, "req_1");
    EXPECT_EQ(sent[0].result.body, "{\"a\":1}");
    int tries = 1;
    for (int i = 0; i < 10; ++i) {
        (void)core.handle(ResultUnanswered{1}, now);
        EXPECT_TRUE(only<SendResult>(look(room_of(0))).empty()) << "at once";
        for (base::Duration waited; tries == i + 1; waited = waited + base::seconds(1)) {
            ASSERT_LT(waited, batch_retry_max + base::seconds(2));
            for (const SendResult& again : only<SendResult>(look(room_of(0), base::seconds(1)))) {
                EXPECT_EQ(again.result, sent[0].result);
                ++tries;
            }
        }
    }
    EXPECT_EQ(core.lines_held(), 1U);
    (void)core.handle(ResultAnswered{1, wire::BatchResultState::committed}, now);
    EXPECT_EQ(core.lines_held(), 0U);
    EXPECT_EQ(core.bytes_held(), 0U);
}

TEST_F(BatchCoreTest, ALargeResultGoesInPartsAndFromTheFirstOneIfOneIsMissing) {
    const std::string body = std::string(wire::batch_part_bytes_max, 'a') +
                             std::string(wire::batch_part_bytes_max, 'b') + "c";
    const auto lines = run(1);
    std::string got;
    auto sent = only<SendResult>(say(lines.at(0), answer(200, body)));
    for (int i = 0; i < 2; ++i) {
        ASSERT_EQ(sent.size(), 1U);
        got += sent[0].result.body;
        sent = only<SendResult>(
            core.handle(ResultAnswered{1, wire::BatchResultState::part_taken}, now));
    }
    EXPECT_EQ(sent.at(0).result.part, 2U);
    EXPECT_EQ(sent.at(0).result.parts, 3U);
    EXPECT_EQ(got + sent[0].result.body, body);
    (void)core.handle(ResultAnswered{1, wire::BatchResultState::send_again}, now);
    sent = only<SendResult>(look(room_of(0), base::seconds(2)));
    EXPECT_EQ(sent.at(0).result.part, 0U);
}

TEST_F(BatchCoreTest, AnAnswerThatIsTooLargeBecomesAnError) {
    const auto lines = run(1);
    const auto sent = only<SendResult>(
        say(lines.at(0), answer(200, std::string(wire::batch_result_bytes_max + 1, 'x'))));
    EXPECT_EQ(sent.at(0).result.status_code, 413U);
    const auto error = wire::parse_error_body(sent[0].result.body);
    EXPECT_EQ(error->code, "request_too_large");
}

TEST_F(BatchCoreTest, WhatPassesIsTriedAgainLaterAndNotForEver) {
    const std::string preempted =
        wire::error_body(wire::api_error(wire::ApiErrorCode::worker_preempted, "The car left."));
    const std::string broken =
        wire::error_body(wire::api_error(wire::ApiErrorCode::internal_error, "Broken."));
    struct Case {
        int status;
        std::string body;
        bool passes;
    };
    std::uint64_t lease = 1;
    for (const Case& one : {Case{429, "{}", true}, Case{503, "{}", true},
                            Case{500, preempted, true}, Case{500, broken, false},
                            Case{502, "{}", false}, Case{400, "{}", false}, Case{200, "", false}}) {
        auto lines = run(1, lease);
        std::uint32_t tries = 0;
        std::vector<SendResult> sent;
        while (sent.empty()) {
            ASSERT_EQ(lines.size(), 1U) << one.status;
            ++tries;
            sent = only<SendResult>(say(lines[0], answer(one.status, one.body)));
            if (!sent.empty())
                break;
            EXPECT_TRUE(only<StartLine>(look(room_of(1))).empty()) << "at once";
            lines = only<StartLine>(look(room_of(1), batch_retry_max));
            (void)core.handle(WorkFailed{}, now);
        }
        EXPECT_EQ(tries, one.passes ? batch_tries_max : 1U) << one.status;
        EXPECT_EQ(sent[0].result.status_code, static_cast<std::uint32_t>(one.status));
        (void)core.handle(ResultAnswered{lease, wire::BatchResultState::committed}, now);
        (void)core.handle(WorkCame{}, now);
        now = now + base::seconds(10);
        ++lease;
    }
}

TEST_F(BatchCoreTest, TheServersWordOnWhenToComeBackCounts) {
    const auto lines = run(1);
    http::Response busy = answer(503);
    busy.headers["retry-after"] = "20";
    (void)say(lines.at(0), busy);
    EXPECT_TRUE(only<StartLine>(look(room_of(1), base::seconds(19))).empty());
    EXPECT_EQ(only<StartLine>(look(room_of(1), base::seconds(2))).size(), 1U);
}

TEST_F(BatchCoreTest, ALineThatNoCarCanTakeCostsNoTryAndIsGivenBack) {
    auto lines = run(1);
    const base::Instant began = now;
    while (core.lines_held() > 0) {
        ASSERT_EQ(lines.size(), 1U);
        (void)core.handle(LineDeferred{lines[0].line.request}, now);
        EXPECT_LT(now - began, batch_deferred_max + base::seconds(2));
        if (core.lines_held() > 0)
            lines = only<StartLine>(look(room_of(1), batch_deferred_period));
        (void)core.handle(WorkFailed{}, now);
    }
    EXPECT_GE(now - began, batch_deferred_max);
    EXPECT_EQ(core.lines_running(), 0U);
}

TEST_F(BatchCoreTest, AnEndedLeaseStopsItsLine) {
    const auto lines = run(2);
    wire::BatchWork work;
    work.ended_leases = {1, 77};
    const auto stops = only<StopLine>(core.handle(WorkCame{work}, now));
    ASSERT_EQ(stops.size(), 1U);
    EXPECT_EQ(stops[0].request, lines.at(0).line.request);
    EXPECT_EQ(core.lines_held(), 1U);
    // Its answer comes all the same: nobody wants it.
    EXPECT_TRUE(say(lines[0], answer(200)).empty());
}

// A coordinator that has begun anew knows no lease, but takes the result.
TEST_F(BatchCoreTest, AnEndedLeaseTakesNoResultAway) {
    const auto lines = run(1);
    EXPECT_EQ(only<SendResult>(say(lines.at(0), answer(200))).size(), 1U);
    (void)core.handle(ResultUnanswered{1}, now);
    wire::BatchWork work;
    work.ended_leases = {1};
    (void)core.handle(WorkCame{work}, now);
    EXPECT_EQ(core.lines_held(), 1U);
    EXPECT_EQ(only<SendResult>(look(room_of(0), batch_retry_max)).size(), 1U);
    (void)core.handle(ResultAnswered{1, wire::BatchResultState::refused}, now);
    EXPECT_EQ(core.lines_held(), 0U);
    EXPECT_EQ(core.bytes_held(), 0U);
}

TEST_F(BatchCoreTest, FullOfResultsItAsksForNothing) {
    const auto lines = run(20);
    ASSERT_EQ(lines.size(), 20U);
    const std::string large(4 * 1024 * 1024, 'x');
    for (const StartLine& line : lines)
        (void)say(line, answer(200, large));
    EXPECT_GT(core.bytes_held(), batch_bytes_held_max);
    for (int i = 0; i < 100; ++i) {
        for (const AskForWork& ask : only<AskForWork>(look(room_of(20)))) {
            EXPECT_EQ(ask.ask.items_max, 0U);
            (void)core.handle(WorkCame{}, now);
        }
    }
    for (std::uint64_t lease = 1; lease <= 20; ++lease) {
        (void)look(room_of(0), base::seconds(1));
        for (std::uint32_t part = 0; part < wire::batch_parts_max; ++part)
            (void)core.handle(ResultAnswered{lease, wire::BatchResultState::refused}, now);
    }
    EXPECT_EQ(core.bytes_held(), 0U);
    (void)core.handle(WorkCame{}, now);
    EXPECT_EQ(only<AskForWork>(look(room_of(20), base::seconds(2))).at(0).ask.items_max, 40U);
}

// A coordinator, cars and clients that do anything, and what must hold all the same.
class AnyHistory {
public:
    explicit AnyHistory(std::uint64_t seed) : prng_(seed) {}

    void step() {
        now_ = now_ + base::milliseconds(static_cast<std::int64_t>(prng_.below(3'000)));
        const std::uint64_t what = prng_.below(10);
        if (what < 3) {
            const Room room{true, prng_.below(6), prng_.below(4), prng_.chance(0.2)};
            feed(RoomSeen{room});
        } else if (what == 3 && asked_) {
            asked_ = false;
            if (prng_.chance(0.3))
                feed(WorkFailed{});
            else
                feed(WorkCame{work()});
        } else if (what < 8 && !running_.empty()) {
            const http::RequestId request = *running_.begin();
            running_.erase(running_.begin());
            if (prng_.chance(0.1))
                feed(LineDeferred{request});
            else
                feed(LineAnswered{request, {prng_.chance(0.7) ? 200 : 503, {}, "{}"}});
        } else if (!results_.empty()) {
            const std::uint64_t lease = *results_.begin();
            results_.erase(results_.begin());
            const bool arrives = prng_.chance(0.5);
            committed += arrives ? 1 : 0;
            if (arrives)
                feed(ResultAnswered{lease, wire::BatchResultState::committed});
            else
                feed(ResultUnanswered{lease});
        }
        ASSERT_LE(core_.lines_held(), batch_lines_held_max);
        ASSERT_EQ(core_.lines_running(), running_.size());
        ASSERT_LE(results_.size(), batch_results_at_once);
    }

    std::uint64_t committed = 0;

private:
    wire::BatchWork work() {
        wire::BatchWork made;
        for (std::uint64_t i = prng_.below(wanted_ + 1); i > 0; --i) {
            wire::BatchItem item;
            item.lease = ++leases_;
            item.body = "{}";
            made.items.push_back(item);
        }
        return made;
    }

    void feed(const BatchEvent& event) {
        for (const BatchEffect& effect : core_.handle(event, now_)) {
            if (const auto* ask = std::get_if<AskForWork>(&effect)) {
                ASSERT_FALSE(asked_);
                asked_ = true;
                wanted_ = ask->ask.items_max;
                ASSERT_LE(wanted_, wire::batch_items_max);
                ASSERT_EQ(ask->ask.running_leases.size(), core_.lines_held());
            } else if (const auto* start = std::get_if<StartLine>(&effect)) {
                ASSERT_TRUE(running_.insert(start->line.request).second);
            } else if (const auto* stop = std::get_if<StopLine>(&effect)) {
                ASSERT_EQ(running_.erase(stop->request), 1U);
            } else if (const auto* sent = std::get_if<SendResult>(&effect)) {
                ASSERT_TRUE(results_.insert(sent->result.lease).second) << "twice at once";
            }
        }
    }

    base::Prng prng_;
    BatchCore core_;
    base::Instant now_{1'000'000'000};
    std::set<http::RequestId> running_;
    std::set<std::uint64_t> results_;  // under way
    std::uint64_t leases_ = 0;
    bool asked_ = false;
    std::uint32_t wanted_ = 0;
};

TEST(BatchHistories, KeepTheirLeasesAndTheirBounds) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        AnyHistory history(seed);
        for (int i = 0; i < 600 && !testing::Test::HasFatalFailure(); ++i)
            history.step();
        ASSERT_GT(history.committed, 0U) << seed;
    }
}

}  // namespace
}  // namespace idlewatt::gateway
