// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Every way that a batch may go, and random histories of many.
#include "coordinator/batch_core.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "base/prng.hpp"

namespace idlewatt::coordinator {
namespace {

using store::BatchStatus;
using wire::BatchResultState;

constexpr base::WallTime batch_start{1'790'000'000'000'000};

store::Batch new_batch(const std::string& id) {
    store::Batch batch;
    batch.id = id;
    batch.key = core::KeyId("k");
    batch.endpoint = "/v1/chat/completions";
    batch.input_file = "file-" + id;
    batch.created_at = batch_start;
    batch.expires_at = batch_start + base::minutes(24 * 60);
    return batch;
}

std::vector<store::BatchLine> lines_of(std::uint32_t count) {
    std::vector<store::BatchLine> lines;
    for (std::uint32_t line = 1; line <= count; ++line)
        lines.push_back({line, line * 100ULL, 100, {}});
    return lines;
}

class BatchCoreTest : public testing::Test {
protected:
    std::vector<BatchEffect> feed(const BatchEvent& event) {
        return core.handle(event, {now, batch_start + (now - base::Instant{})});
    }
    template <class Effect>
    static std::vector<Effect> of(const std::vector<BatchEffect>& effects) {
        std::vector<Effect> found;
        for (const BatchEffect& effect : effects) {
            if (const auto* one = std::get_if<Effect>(&effect))
                found.push_back(*one);
        }
        return found;
    }
    // Up to the point where its lines may be leased.
    void begin(const std::string& id, std::uint32_t lines) {
        EXPECT_EQ(of<CheckBatch>(feed(BatchAdded{new_batch(id)})).size(), 1U);
        EXPECT_EQ(of<SaveBatch>(feed(BatchChecked{id, "", lines_of(lines), "m"})).size(), 1U);
        feed(BatchSaved{id, BatchStatus::in_progress});
    }
    HandOut ask(std::uint32_t items, std::vector<std::uint64_t> running = {},
                const std::string& gateway = "gw") {
        const auto out =
            of<HandOut>(feed(WorkAsked{7, core::GatewayId(gateway), {items, std::move(running)}}));
        EXPECT_EQ(out.size(), 1U);
        return out.empty() ? HandOut{} : out[0];
    }
    std::vector<BatchEffect> end_line(const std::string& id, std::uint32_t line, bool ok = true) {
        EXPECT_EQ(of<CommitResult>(feed(ResultOffered{9, id, line})).size(), 1U);
        return feed(ResultCommitted{9, id, line, true, {ok ? 1U : 0U, ok ? 0U : 1U, 5, 0, 3, 0}});
    }
    std::optional<BatchResultState> offer(const std::string& id, std::uint32_t line) {
        const auto answers = of<AnswerResult>(feed(ResultOffered{9, id, line}));
        return answers.empty() ? std::nullopt : std::optional(answers[0].state);
    }
    BatchStatus status(const std::string& id) const {
        const store::Batch* const batch = core.find(id);
        EXPECT_NE(batch, nullptr);
        return batch == nullptr ? BatchStatus::failed : batch->status;
    }
    store::Batch finish(const std::string& id, store::BatchTally tally = {}) {
        const auto ends =
            of<EndBatch>(feed(BatchFilesWritten{id, true, "file-o", "file-e", tally}));
        EXPECT_EQ(ends.size(), 1U);
        feed(BatchEnded{id});
        EXPECT_EQ(core.find(id), nullptr);
        return ends.empty() ? store::Batch{} : ends[0].batch;
    }

    base::Instant now{0};
    BatchCore core{1000};
};

// No car serves its model, say: it must not go from hand to hand until its window ends.
TEST_F(BatchCoreTest, ALineThatNobodyEndsRestsLongerAndLonger) {
    begin("b", 1);
    const auto lapse = [&] {
        now = now + wire::batch_lease_life;
        feed(BatchClock{});
    };
    for (int i = 0; i < batch_lapses_free; ++i) {
        ASSERT_EQ(ask(1).lines.size(), 1U) << "a gateway may die";
        lapse();
    }
    ASSERT_EQ(ask(1).lines.size(), 1U);
    base::Duration rest = batch_rest_first;
    for (int i = 0; i < 10; ++i) {
        lapse();
        EXPECT_TRUE(ask(1).lines.empty()) << i;
        now = now + rest + base::milliseconds(-1);
        EXPECT_TRUE(ask(1).lines.empty()) << i;
        now = now + base::milliseconds(1);
        ASSERT_EQ(ask(1).lines.size(), 1U) << i;
        rest = std::min(rest * 2, batch_rest_max);
    }
    EXPECT_EQ(rest, batch_rest_max);
    // A late result counts while it rests, and others do not wait for it.
    lapse();
    begin("c", 1);
    EXPECT_EQ(ask(5).lines.size(), 1U);
    EXPECT_EQ(of<AnswerResult>(end_line("b", 1))[0].state, BatchResultState::committed);
    EXPECT_EQ(finish("b").status, BatchStatus::completed);
}

// Cars may come back before its batch ends.
TEST_F(BatchCoreTest, ALineDoesNotRestUntilItIsTooLate) {
    begin("b", 1);
    const base::Instant end = now + base::minutes(24 * 60);
    base::Instant last = now;
    while (now < end) {
        if (!ask(1).lines.empty())
            last = now;
        now = now + base::seconds(1);
        feed(BatchClock{});
    }
    EXPECT_LT(end - last, base::minutes(2));
}

TEST_F(BatchCoreTest, FromTheFirstLineToTheLast) {
    begin("b", 2);
    EXPECT_EQ(status("b"), BatchStatus::in_progress);
    EXPECT_TRUE(core.uses_file("file-b"));
    const HandOut out = ask(5);
    ASSERT_EQ(out.lines.size(), 2U);
    EXPECT_EQ(out.lines[0].line, (store::BatchLine{1, 100, 100, {}}));
    EXPECT_NE(out.lines[0].lease, out.lines[1].lease);
    EXPECT_TRUE(ask(5, {out.lines[0].lease}).lines.empty());
    EXPECT_EQ(of<AnswerResult>(end_line("b", 1))[0].state, BatchResultState::committed);
    EXPECT_EQ(core.find("b")->tally, (store::BatchTally{1, 0, 5, 0, 3, 0}));
    const auto last = end_line("b", 2, false);
    EXPECT_EQ(status("b"), BatchStatus::finalizing);
    EXPECT_EQ(of<SaveBatch>(last).size(), 1U);
    ASSERT_EQ(of<WriteBatchFiles>(last).size(), 1U);
    const store::Batch ended = finish("b", {1, 1, 10, 0, 6, 0});
    EXPECT_EQ(ended.status, BatchStatus::completed);
    EXPECT_EQ(ended.tally.failed, 1U);
    EXPECT_EQ(ended.output_file, "file-o");
    EXPECT_TRUE(ended.in_progress_at && ended.finalizing_at && ended.ended_at);
    EXPECT_EQ(ended.model, "m");
    EXPECT_EQ(ended.total, 2U);
    EXPECT_EQ(offer("b", 1), BatchResultState::refused);
}

TEST_F(BatchCoreTest, WhatIsWrongFails) {
    feed(BatchAdded{new_batch("b")});
    EXPECT_EQ(offer("b", 1), BatchResultState::refused);
    const auto ends = of<EndBatch>(feed(BatchChecked{"b", "[{}]", {}, ""}));
    ASSERT_EQ(ends.size(), 1U);
    EXPECT_EQ(ends[0].batch.status, BatchStatus::failed);
    EXPECT_EQ(ends[0].batch.errors_json, "[{}]");
    EXPECT_FALSE(ends[0].batch.in_progress_at);
    feed(BatchEnded{"b"});
    EXPECT_EQ(core.open_count(), 0U);
}

TEST_F(BatchCoreTest, NothingIsLeasedBeforeTheStoreKnows) {
    feed(BatchAdded{new_batch("b")});
    feed(BatchChecked{"b", "", lines_of(2), "m"});
    EXPECT_TRUE(ask(5).lines.empty());
    feed(BatchSaved{"b", BatchStatus::in_progress});
    EXPECT_EQ(ask(5).lines.size(), 2U);
}

TEST_F(BatchCoreTest, ALeaseThatNobodyNamesIsFreeAgain) {
    begin("b", 1);
    const std::uint64_t first = ask(1).lines.at(0).lease;
    now = now + base::seconds(59);
    EXPECT_TRUE(ask(1, {first}).lines.empty());
    now = now + base::seconds(59);
    EXPECT_TRUE(ask(1, {}, "other").lines.empty());
    now = now + base::seconds(1);
    const HandOut again = ask(1, {}, "other");
    ASSERT_EQ(again.lines.size(), 1U);
    EXPECT_EQ(ask(0, {first}).ended_leases, std::vector{first});
    EXPECT_EQ(ask(0, {again.lines[0].lease}).ended_leases.size(), 1U) << "it is the other's";
    // The first result counts, and the second is told that there is one.
    end_line("b", 1);
    EXPECT_EQ(offer("b", 1), BatchResultState::committed);
}

TEST_F(BatchCoreTest, AResultThatTheStoreRefusesIsAskedForAgain) {
    begin("b", 1);
    ask(1);
    ASSERT_EQ(of<CommitResult>(feed(ResultOffered{9, "b", 1})).size(), 1U);
    EXPECT_EQ(offer("b", 1), std::nullopt) << "it is being committed";
    EXPECT_TRUE(feed(ResultCommitted{9, "b", 1, false, {}}).empty());
    EXPECT_EQ(ask(1).lines.size(), 1U);
    end_line("b", 1);
    EXPECT_EQ(status("b"), BatchStatus::finalizing);
}

TEST_F(BatchCoreTest, LinesThatWereGivenBackWait) {
    begin("b", 2);
    const HandOut out = ask(2);
    feed(LinesReturned{{out.lines[1].lease, 12345}});
    const HandOut again = ask(2, {out.lines[0].lease});
    ASSERT_EQ(again.lines.size(), 1U);
    EXPECT_EQ(again.lines[0].line.line, 2U);
}

TEST_F(BatchCoreTest, BatchesTakeTurnsAndAnswersAreBounded) {
    begin("a", 3);
    begin("b", 3);
    std::multiset<std::string> served;
    for (const LeasedLine& line : ask(4).lines)
        served.insert(line.batch);
    EXPECT_EQ(served, (std::multiset<std::string>{"a", "a", "b", "b"}));
    feed(BatchAdded{new_batch("large")});
    std::vector<store::BatchLine> large;
    for (std::uint32_t line = 1; line <= 5; ++line)
        large.push_back({line, 0, 400 * 1024, {}});
    feed(BatchChecked{"large", "", large, ""});
    feed(BatchSaved{"large", BatchStatus::in_progress});
    EXPECT_EQ(ask(100).lines.size(), 4U) << "two that are left, and two that fit";
    EXPECT_EQ(ask(100).lines.size(), 2U);
}

TEST_F(BatchCoreTest, CancellingLetsWhatRunsEndForAWhile) {
    begin("b", 3);
    ask(2);
    const auto effects = feed(BatchCancelAsked{"b"});
    EXPECT_EQ(of<SaveBatch>(effects).size(), 1U);
    EXPECT_EQ(status("b"), BatchStatus::cancelling);
    EXPECT_TRUE(feed(BatchCancelAsked{"b"}).empty()) << "again changes nothing";
    EXPECT_TRUE(ask(5).lines.empty());
    end_line("b", 1);
    EXPECT_TRUE(of<WriteBatchFiles>(feed(BatchClock{})).empty());
    now = now + batch_cancel_grace;
    const auto writes = of<WriteBatchFiles>(feed(BatchClock{}));
    ASSERT_EQ(writes.size(), 1U);
    EXPECT_EQ(writes[0].unfinished_code, "batch_cancelled");
    EXPECT_EQ(offer("b", 2), BatchResultState::refused);
    EXPECT_EQ(core.leases(), 0U);
    const store::Batch ended = finish("b", {1, 2, 0, 0, 0, 0});
    EXPECT_EQ(ended.status, BatchStatus::cancelled);
    EXPECT_TRUE(ended.cancelling_at);
}

TEST_F(BatchCoreTest, CancelledWithoutWorkOrWhileItIsChecked) {
    begin("idle", 2);
    EXPECT_EQ(of<WriteBatchFiles>(feed(BatchCancelAsked{"idle"})).size(), 1U);
    EXPECT_EQ(finish("idle").status, BatchStatus::cancelled);
    feed(BatchAdded{new_batch("checked")});
    EXPECT_TRUE(of<WriteBatchFiles>(feed(BatchCancelAsked{"checked"})).empty());
    EXPECT_EQ(of<WriteBatchFiles>(feed(BatchChecked{"checked", "", lines_of(2), "m"})).size(), 1U);
    EXPECT_EQ(finish("checked").status, BatchStatus::cancelled);
    feed(BatchAdded{new_batch("wrong")});
    feed(BatchCancelAsked{"wrong"});
    const auto ends = of<EndBatch>(feed(BatchChecked{"wrong", "[1]", {}, ""}));
    ASSERT_EQ(ends.size(), 1U);
    EXPECT_EQ(ends[0].batch.status, BatchStatus::cancelled);
}

TEST_F(BatchCoreTest, AWindowThatIsOverExpires) {
    begin("b", 2);
    ask(1);
    end_line("b", 1);
    ask(1);
    now = now + base::minutes(24 * 60);
    EXPECT_TRUE(ask(1).lines.empty());
    EXPECT_EQ(status("b"), BatchStatus::finalizing);
    EXPECT_EQ(offer("b", 2), BatchResultState::refused);
    EXPECT_EQ(finish("b").status, BatchStatus::expired);
}

TEST_F(BatchCoreTest, FilesThatCannotBeWrittenAreWrittenLater) {
    begin("b", 1);
    ask(1);
    EXPECT_EQ(of<WriteBatchFiles>(end_line("b", 1)).size(), 1U);
    EXPECT_TRUE(feed(BatchFilesWritten{"b", false}).empty());
    EXPECT_TRUE(of<WriteBatchFiles>(feed(BatchClock{})).empty());
    now = now + batch_finish_retry;
    EXPECT_EQ(of<WriteBatchFiles>(feed(BatchClock{})).size(), 1U);
    EXPECT_EQ(finish("b").status, BatchStatus::completed);
}

TEST_F(BatchCoreTest, AfterARestartItGoesOn) {
    const auto resume = [&](const std::string& id, BatchStatus was, std::uint32_t open_lines,
                            bool checked = true) {
        store::Batch batch = new_batch(id);
        batch.status = was;
        batch.total = 3;
        if (checked)
            batch.in_progress_at = batch_start;
        return feed(BatchResumed{batch, {lines_of(open_lines), {3 - open_lines, 0, 0, 0, 0, 0}}});
    };
    EXPECT_EQ(of<CheckBatch>(resume("v", BatchStatus::validating, 0, false)).size(), 1U);
    EXPECT_EQ(of<CheckBatch>(resume("cv", BatchStatus::cancelling, 0, false)).size(), 1U);
    EXPECT_TRUE(resume("p", BatchStatus::in_progress, 2).empty());
    EXPECT_EQ(core.find("p")->tally.completed, 1U);
    EXPECT_EQ(ask(9).lines.size(), 2U);
    EXPECT_EQ(offer("p", 3), BatchResultState::committed) << "it ended in the life before";
    EXPECT_EQ(of<WriteBatchFiles>(resume("f", BatchStatus::finalizing, 0)).size(), 1U);
    EXPECT_EQ(finish("f").status, BatchStatus::completed);
    EXPECT_EQ(of<WriteBatchFiles>(resume("e", BatchStatus::finalizing, 1)).size(), 1U);
    EXPECT_EQ(finish("e").status, BatchStatus::expired);
    EXPECT_EQ(of<WriteBatchFiles>(resume("c", BatchStatus::cancelling, 1)).size(), 1U);
    EXPECT_EQ(finish("c").status, BatchStatus::cancelled);
}

// Whatever happens: each line gets one result or none, all batches end, and the counts add up.
class BatchHistory : public BatchCoreTest {
protected:
    struct Truth {
        std::uint32_t total = 0;
        std::map<std::uint32_t, bool> results{};  // as the store has them
        bool ended = false;
    };

    void perform(const std::vector<BatchEffect>& effects) {
        for (const BatchEffect& effect : effects)
            std::visit([this](const auto& one) { take(one); }, effect);
    }
    void take(const CheckBatch& one) { pending.emplace_back(one); }
    void take(const SaveBatch& one) { pending.emplace_back(one); }
    void take(const WriteBatchFiles& one) { pending.emplace_back(one); }
    void take(const EndBatch& one) { pending.emplace_back(one); }
    void take(const CommitResult&) { commits.push_back(offered); }
    void take(const AnswerResult& one) {
        if (one.state == BatchResultState::committed) {
            ASSERT_TRUE(truth.at(offered.first).results.contains(offered.second));
        }
    }
    void take(const HandOut& one) {
        for (const LeasedLine& line : one.lines) {
            ASSERT_FALSE(truth.at(line.batch).results.contains(line.line.line))
                << "a line that has ended runs again";
            ASSERT_LE(line.line.line, truth.at(line.batch).total);
            running.emplace_back(line);
        }
    }
    void settle(const BatchEffect& effect) {
        if (const auto* check = std::get_if<CheckBatch>(&effect)) {
            Truth& batch = truth.at(check->batch);
            const bool wrong = prng.chance(0.1);
            perform(feed(BatchChecked{check->batch, wrong ? "[1]" : "",
                                      wrong ? lines_of(0) : lines_of(batch.total), "m"}));
        } else if (const auto* save = std::get_if<SaveBatch>(&effect)) {
            if (const store::Batch* row = core.find(save->batch))
                perform(feed(BatchSaved{save->batch, row->status}));
        } else if (const auto* write = std::get_if<WriteBatchFiles>(&effect)) {
            const Truth& batch = truth.at(write->batch);
            store::BatchTally tally;
            for (const auto& [line, succeeded] : batch.results)
                (succeeded ? tally.completed : tally.failed) += 1;
            tally.failed += batch.total - batch.results.size();
            perform(feed(BatchFilesWritten{write->batch, prng.chance(0.8), "o", "e", tally}));
        } else if (const auto* end = std::get_if<EndBatch>(&effect)) {
            Truth& batch = truth.at(end->batch.id);
            ASSERT_FALSE(batch.ended);
            batch.ended = true;
            ASSERT_TRUE(store::is_terminal(end->batch.status));
            if (end->batch.errors_json.empty()) {
                ASSERT_EQ(end->batch.tally.completed + end->batch.tally.failed, end->batch.total);
            }
            if (end->batch.status == BatchStatus::completed) {
                ASSERT_EQ(batch.results.size(), batch.total);
            }
            feed(BatchEnded{end->batch.id});
        }
    }
    void offer_result(const std::string& batch, std::uint32_t line) {
        offered = {batch, line};
        perform(feed(ResultOffered{1, batch, line}));
    }
    void commit_one() {
        const auto at = commits.begin() + static_cast<std::ptrdiff_t>(prng.below(commits.size()));
        offered = *at;
        commits.erase(at);
        const auto& [batch, line] = offered;
        const bool taken = prng.chance(0.9);
        const bool succeeded = prng.chance(0.7);
        if (taken) {
            ASSERT_TRUE(truth.at(batch).results.emplace(line, succeeded).second)
                << "a second result";
            ASSERT_FALSE(truth.at(batch).ended);
        }
        perform(feed(ResultCommitted{
            1, batch, line, taken, {succeeded ? 1U : 0U, succeeded ? 0U : 1U, 0, 0, 0, 0}}));
    }
    void settle_one() {
        const auto at = pending.begin() + static_cast<std::ptrdiff_t>(prng.below(pending.size()));
        const BatchEffect effect = *at;
        pending.erase(at);
        settle(effect);
    }
    void step() {
        switch (prng.below(9)) {
            case 0:
                if (truth.size() < 12) {
                    const std::string id = "b" + std::to_string(truth.size());
                    truth[id].total = static_cast<std::uint32_t>(prng.below(12));
                    perform(feed(BatchAdded{new_batch(id)}));
                }
                break;
            case 1:
            case 2: {
                std::vector<std::uint64_t> named;
                for (const LeasedLine& line : running) {
                    if (prng.chance(0.5))
                        named.push_back(line.lease);
                }
                const std::string gateway = prng.chance(0.5) ? "a" : "b";
                perform(feed(WorkAsked{1,
                                       core::GatewayId(gateway),
                                       {static_cast<std::uint32_t>(prng.below(4)), named}}));
                break;
            }
            case 3:
            case 4:
                if (!running.empty()) {
                    const LeasedLine line = running[prng.below(running.size())];
                    offer_result(line.batch, line.line.line);
                }
                break;
            case 5:
                if (!commits.empty())
                    commit_one();
                break;
            case 6:
                if (!pending.empty())
                    settle_one();
                break;
            case 7:
                now = now + base::seconds(static_cast<std::int64_t>(prng.below(40)));
                perform(feed(BatchClock{}));
                break;
            default:
                if (prng.chance(0.1) && !truth.empty())
                    perform(feed(BatchCancelAsked{"b" + std::to_string(prng.below(12))}));
                else if (prng.chance(0.2) && !running.empty())
                    perform(feed(LinesReturned{{running[prng.below(running.size())].lease}}));
        }
    }

    base::Prng prng{1};
    std::map<std::string, Truth> truth;
    std::vector<LeasedLine> running;  // also those that are over
    std::vector<std::pair<std::string, std::uint32_t>> commits;
    std::pair<std::string, std::uint32_t> offered;
    std::vector<BatchEffect> pending;
};

TEST_F(BatchHistory, EveryLineEndsInOnePlace) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        prng = base::Prng(seed);
        core = BatchCore(seed * 1'000'000);
        now = base::Instant{};
        truth.clear();
        running.clear();
        commits.clear();
        pending.clear();
        for (int i = 0; i < 400 && !HasFatalFailure(); ++i)
            step();
        // No more trouble: a day later all is over.
        now = now + base::minutes(24 * 60);
        for (int i = 0; i < 3000 && (core.open_count() > 0) && !HasFatalFailure(); ++i) {
            now = now + base::seconds(1);
            perform(feed(BatchClock{}));
            while (!commits.empty() && !HasFatalFailure())
                commit_one();
            while (!pending.empty() && !HasFatalFailure())
                settle_one();
        }
        ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
        ASSERT_EQ(core.open_count(), 0U) << "seed " << seed;
        ASSERT_EQ(core.leases(), 0U) << "seed " << seed;
        for (const auto& [id, batch] : truth)
            ASSERT_TRUE(batch.ended) << "seed " << seed << ' ' << id;
    }
}

// It could only give them back.
TEST_F(BatchCoreTest, AGatewayGetsNoLinesOfKeysThatItLacks) {
    begin("b", 2);
    store::Batch fixed = new_batch("fixed");
    fixed.key = core::KeyId("static");
    feed(BatchAdded{fixed});
    feed(BatchChecked{"fixed", "", lines_of(2), "m"});
    feed(BatchSaved{"fixed", BatchStatus::in_progress});
    const auto batches = [&](bool lacks_book, bool lacks_static) {
        wire::BatchAsk asked{1, {}, lacks_book, lacks_static};
        std::set<std::string> seen;
        for (int i = 0; i < 3; ++i) {
            for (const HandOut& out :
                 of<HandOut>(feed(WorkAsked{7, core::GatewayId("gw"), asked}))) {
                for (const auto& line : out.lines) {
                    seen.insert(line.batch);
                    feed(LinesReturned{{line.lease}});
                }
            }
        }
        return seen;
    };
    EXPECT_EQ(batches(false, false), (std::set<std::string>{"b", "fixed"}));
    EXPECT_EQ(batches(true, false), std::set<std::string>{"fixed"});
    EXPECT_EQ(batches(false, true), std::set<std::string>{"b"});
    EXPECT_TRUE(batches(true, true).empty());
}

}  // namespace
}  // namespace idlewatt::coordinator
