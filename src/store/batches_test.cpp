// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Files and batches: the same suite on SQLite, on a real PostgreSQL and on the twin.
#include <map>
#include <memory>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "store/store_medium_test.hpp"

namespace idlewatt::store {
namespace {

constexpr base::WallTime batch_time{1'790'000'000'000'000};

class BatchStore : public StoreOnMedium {
protected:
    template <class T, class Call>
    T get(Call call) {
        auto result = wait_for<T>(loop, [&](auto done) { call(*store, done); });
        EXPECT_TRUE(result) << result.error().message;
        return result.value_or(T{});
    }
    template <class Call>
    base::Result<void> put(Call call) {
        return wait_for<void>(loop, [&](auto done) { call(*store, done); });
    }
    BatchState state(const std::string& batch) {
        return get<BatchState>([&](Store& s, auto done) { s.batch_state(batch, done); });
    }
    std::size_t add_results(std::vector<BatchResult> results) {
        return get<std::size_t>([&](Store& s, auto done) { s.add_batch_results(results, done); });
    }
    BatchItemPage items(const std::string& batch, std::uint32_t after, std::size_t limit,
                        std::size_t bytes_max) {
        return get<BatchItemPage>(
            [&](Store& s, auto done) { s.batch_items(batch, after, limit, bytes_max, done); });
    }
    void add_lines(const std::string& batch, std::vector<BatchLine> lines) {
        ASSERT_TRUE(put([&](Store& s, auto done) { s.add_batch_lines(batch, lines, done); }));
    }
    std::vector<File> files() {
        return get<std::vector<File>>([](Store& s, auto done) { s.list_files(done); });
    }
};

File sample_file(const std::string& id, std::optional<base::WallTime> expires_at = std::nullopt) {
    return {id,          core::KeyId("k1"),    "in 'ß' \"1\".jsonl", "batch",
            200'000'000, std::string(64, 'a'), batch_time,           expires_at};
}

Batch sample_batch(const std::string& id, const std::string& key = "k1") {
    Batch batch;
    batch.id = id;
    batch.key = core::KeyId(key);
    batch.endpoint = "/v1/chat/completions";
    batch.input_file = "file-1";
    batch.created_at = batch_time;
    batch.expires_at = batch_time + base::minutes(24 * 60);
    return batch;
}

BatchResult sample_result(const std::string& batch, std::uint32_t line, bool succeeded) {
    BatchResult result{batch, line, succeeded, 200, "", "req_1", "{\"x\":\"ü\\u0000'\"}"};
    result.input_tokens = 10;
    result.cached_tokens = 1;
    result.output_tokens = 5;
    result.reasoning_tokens = 2;
    if (!succeeded) {
        result.status_code = 0;
        result.error_code = "request_timeout";
        result.body.clear();
    }
    return result;
}

std::vector<BatchLine> sample_lines(std::uint32_t first, std::uint32_t count) {
    std::vector<BatchLine> lines;
    for (std::uint32_t line = first; line < first + count; ++line)
        lines.push_back({line, line * 100ULL, 99, "id " + std::to_string(line)});
    return lines;
}

TEST_P(BatchStore, FilesComeAndGo) {
    EXPECT_TRUE(files().empty());
    const File a = sample_file("file-1", batch_time + base::seconds(3600));
    const File b = sample_file("file-2");
    ASSERT_TRUE(put([&](Store& s, auto done) { s.add_file(b, done); }));
    ASSERT_TRUE(put([&](Store& s, auto done) { s.add_file(a, done); }));
    reopen();
    EXPECT_EQ(files(), (std::vector<File>{a, b}));
    ASSERT_TRUE(put([&](Store& s, auto done) { s.erase_file("file-1", done); }));
    EXPECT_EQ(put([&](Store& s, auto done) { s.erase_file("file-1", done); }).error().kind,
              base::ErrorKind::not_found);
    EXPECT_EQ(files(), std::vector<File>{b});
}

TEST_P(BatchStore, ABatchKeepsEverything) {
    Batch batch = sample_batch("batch_1");
    batch.status = BatchStatus::cancelled;
    batch.model = "m";
    batch.metadata_json = R"({"a":"ö'"})";
    batch.errors_json = "[]";
    batch.output_file = "file-o";
    batch.error_file = "file-e";
    batch.output_expires_after = base::seconds(3600);
    batch.in_progress_at = batch_time + base::seconds(1);
    batch.finalizing_at = batch_time + base::seconds(2);
    batch.cancelling_at = batch_time + base::seconds(3);
    batch.ended_at = batch_time + base::seconds(4);
    batch.total = 50'000;
    batch.tally = {1, 2, 3, 4, 5, 6};
    ASSERT_TRUE(put([&](Store& s, auto done) { s.put_batch(sample_batch("batch_1"), done); }));
    ASSERT_TRUE(put([&](Store& s, auto done) { s.put_batch(batch, done); }));
    reopen();
    const auto found =
        get<std::optional<Batch>>([](Store& s, auto done) { s.find_batch("batch_1", done); });
    EXPECT_EQ(found, batch);
    EXPECT_FALSE(
        get<std::optional<Batch>>([](Store& s, auto done) { s.find_batch("batch_2", done); }));
}

TEST_P(BatchStore, PagesAreOfOneKeyTheNewestFirst) {
    for (const char* id : {"batch_1", "batch_3", "batch_2", "batch_4"}) {
        const Batch batch = sample_batch(id, id == std::string("batch_3") ? "k2" : "k1");
        ASSERT_TRUE(put([&](Store& s, auto done) { s.put_batch(batch, done); }));
    }
    const auto page = [&](const std::string& after, std::size_t limit) {
        return get<BatchPage>(
            [&](Store& s, auto done) { s.batch_page(core::KeyId("k1"), after, limit, done); });
    };
    EXPECT_EQ(page("", 2), (BatchPage{{sample_batch("batch_4"), sample_batch("batch_2")}, true}));
    EXPECT_EQ(page("batch_2", 2), (BatchPage{{sample_batch("batch_1")}, false}));
    EXPECT_EQ(page("batch_1", 1), BatchPage{});
}

TEST_P(BatchStore, OnlyThoseThatRunAreOpen) {
    constexpr BatchStatus all[] = {BatchStatus::validating,  BatchStatus::failed,
                                   BatchStatus::in_progress, BatchStatus::finalizing,
                                   BatchStatus::completed,   BatchStatus::expired,
                                   BatchStatus::cancelling,  BatchStatus::cancelled};
    for (const BatchStatus status : all) {
        EXPECT_EQ(batch_status(name(status)), status);
        Batch batch = sample_batch("batch_" + std::string(name(status)));
        batch.status = status;
        ASSERT_TRUE(put([&](Store& s, auto done) { s.put_batch(batch, done); }));
    }
    std::vector<std::string> open;
    for (const Batch& batch :
         get<std::vector<Batch>>([](Store&s, auto done) { s.open_batches(done); }))
        open.push_back(batch.id);
    EXPECT_EQ(open, (std::vector<std::string>{"batch_cancelling", "batch_finalizing",
                                              "batch_in_progress", "batch_validating"}));
}

TEST_P(BatchStore, ALineHasOneResult) {
    add_lines("b", sample_lines(1, 3));
    add_lines("b", sample_lines(4, 1));
    add_lines("other", sample_lines(1, 1));
    EXPECT_EQ(add_results({sample_result("b", 2, true)}), 1U);
    BatchResult second = sample_result("b", 2, false);
    EXPECT_EQ(add_results({second, sample_result("b", 3, false), sample_result("b", 9, true),
                           sample_result("nowhere", 1, true)}),
              1U);
    reopen();
    const BatchState now = state("b");
    ASSERT_EQ(now.open.size(), 2U);
    EXPECT_EQ(now.open[1], (BatchLine{4, 400, 99, ""}));
    EXPECT_EQ(now.tally, (BatchTally{1, 1, 20, 2, 10, 4}));
    const BatchItemPage page = items("b", 0, 10, 1'000'000);
    ASSERT_EQ(page.items.size(), 4U);
    EXPECT_FALSE(page.more);
    EXPECT_EQ(page.items[0], (BatchItem{{1, 100, 99, "id 1"}, std::nullopt}));
    EXPECT_EQ(page.items[1].result, sample_result("b", 2, true));
    EXPECT_EQ(page.items[2].result, sample_result("b", 3, false));
}

TEST_P(BatchStore, LinesBeginAnewWithTheFirst) {
    add_lines("b", sample_lines(1, 5));
    EXPECT_EQ(add_results({sample_result("b", 1, true)}), 1U);
    add_lines("b", sample_lines(1, 2));
    EXPECT_EQ(state("b").open.size(), 2U);
    EXPECT_EQ(state("b").tally, BatchTally{});
}

TEST_P(BatchStore, PagesOfLinesAreBoundedByTheirBytes) {
    add_lines("b", sample_lines(1, 6));
    for (std::uint32_t line = 1; line <= 6; ++line) {
        BatchResult result = sample_result("b", line, true);
        result.body = std::string(100, 'x');
        ASSERT_EQ(add_results({result}), 1U);
    }
    EXPECT_EQ(items("b", 0, 4, 1000).items.size(), 4U);
    EXPECT_TRUE(items("b", 0, 4, 1000).more);
    EXPECT_EQ(items("b", 0, 10, 250).items.size(), 2U);
    EXPECT_EQ(items("b", 2, 10, 50).items.size(), 1U) << "one always";
    EXPECT_EQ(items("b", 2, 10, 50).items.front().line.line, 3U);
    EXPECT_FALSE(items("b", 5, 10, 50).more);
    EXPECT_TRUE(items("b", 6, 10, 50).items.empty());
}

TEST_P(BatchStore, TheEndIsOneTransactionAndMayComeTwice) {
    add_lines("b", sample_lines(1, 3));
    Batch batch = sample_batch("b");
    ASSERT_TRUE(put([&](Store& s, auto done) { s.put_batch(batch, done); }));
    batch.status = BatchStatus::completed;
    const std::vector<File> outputs{sample_file("file-o"), sample_file("file-e")};
    for (int time = 0; time < 2; ++time)
        ASSERT_TRUE(put([&](Store& s, auto done) { s.end_batch(batch, outputs, done); }));
    EXPECT_EQ(get<std::optional<Batch>>([](Store& s, auto done) { s.find_batch("b", done); }),
              batch);
    EXPECT_EQ(files().size(), 2U);
    EXPECT_TRUE(items("b", 0, 10, 100).items.empty());
    EXPECT_EQ(add_results({sample_result("b", 1, true)}), 0U);
}

// A model of what must be there, after results in any order, again and again.
TEST_P(BatchStore, ResultsInAnyOrderCountOnce) {
    constexpr std::uint32_t lines = 40;
    base::Prng prng(3);
    add_lines("b", sample_lines(1, lines));
    std::map<std::uint32_t, bool> expected;
    for (int i = 0; i < 60; ++i) {
        std::vector<BatchResult> some;
        std::size_t is_new = 0;
        for (std::uint64_t n = prng.below(4); n > 0; --n) {
            const auto line = static_cast<std::uint32_t>(1 + prng.below(lines));
            some.push_back(sample_result("b", line, prng.chance(0.7)));
            is_new += expected.emplace(line, some.back().succeeded).second ? 1 : 0;
        }
        ASSERT_EQ(add_results(some), is_new);
    }
    std::uint64_t completed = 0;
    for (const auto& [line, succeeded] : expected)
        completed += succeeded ? 1 : 0;
    EXPECT_EQ(state("b").tally.completed, completed);
    EXPECT_EQ(state("b").tally.failed, expected.size() - completed);
    EXPECT_EQ(state("b").open.size(), lines - expected.size());
}

TEST_P(BatchStore, EndedOnesAreForgotten) {
    const auto ended_before = [&](base::WallTime before, std::size_t limit) {
        std::vector<std::string> ids;
        for (const Batch& batch : get<std::vector<Batch>>(
                 [&](Store&s, auto done) { s.ended_batches(before, limit, done); }))
            ids.push_back(batch.id);
        return ids;
    };
    for (int i = 0; i < 4; ++i) {
        Batch batch = sample_batch("batch_" + std::to_string(i));
        ASSERT_TRUE(put([&](Store& s, auto done) { s.put_batch(batch, done); }));
        if (i == 0)
            continue;
        batch.status = i == 1 ? BatchStatus::failed : BatchStatus::completed;
        batch.ended_at = batch_time + base::minutes(10 - i);
        ASSERT_TRUE(put([&](Store& s, auto done) { s.end_batch(batch, {}, done); }));
    }
    using Ids = std::vector<std::string>;
    EXPECT_EQ(ended_before(batch_time + base::minutes(7), 9), Ids{});
    EXPECT_EQ(ended_before(batch_time + base::minutes(9), 9), (Ids{"batch_3", "batch_2"}));
    EXPECT_EQ(ended_before(batch_time + base::minutes(60), 2), (Ids{"batch_3", "batch_2"}));
    for (const char* id : {"batch_0", "batch_3", "batch_3", "batch_9"})
        EXPECT_TRUE(put([&](Store& s, auto done) { s.erase_batch(id, done); })) << id;
    reopen();
    EXPECT_EQ(ended_before(batch_time + base::minutes(60), 9), (Ids{"batch_2", "batch_1"}));
    EXPECT_EQ(get<std::vector<Batch>>([](Store& s, auto done) { s.open_batches(done); }).size(), 1U)
        << "one that runs stays";
}

INSTANTIATE_TEST_SUITE_P(Media, BatchStore, testing::Values("memory", "sqlite", "postgresql"),
                         [](const auto& medium) { return std::string(medium.param); });

}  // namespace
}  // namespace idlewatt::store
