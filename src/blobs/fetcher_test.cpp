// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The fetcher against an address that fails in every way.
#include "blobs/fetcher.hpp"

#include <algorithm>
#include <optional>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "base/simulated_loop.hpp"
#include "blobs/memory_blobs.hpp"
#include "blobs/sha256.hpp"

namespace idlewatt::blobs {
namespace {

// Serves a text in chunks; what goes wrong is drawn from a seed or set by the test.
class FakeSource final : public ByteSource {
public:
    FakeSource(base::SimulatedLoop& loop, std::string content)
        : loop_(loop), content_(std::move(content)) {}

    std::unique_ptr<Transfer> get(const std::string&, std::uint64_t offset, std::uint64_t count,
                                  ByteHandler handler) override {
        ++gets;
        most_asked = std::max(most_asked, count);
        auto transfer = std::make_unique<Running>();
        auto alive = transfer->alive;
        std::string bytes = content_.substr(offset, count);
        served += bytes.size();
        base::Result<void> end;
        if (away) {
            bytes.clear();
            end = base::fail(base::ErrorKind::unavailable, "away");
        } else if (prng.chance(cut_chance)) {
            bytes.resize(prng.below(bytes.size()));
            if (prng.chance(0.5))
                end = base::fail(base::ErrorKind::io, "cut");
        } else if (prng.chance(more_chance)) {
            bytes += "more than was asked for";
        }
        if (flips > 0 && !bytes.empty()) {
            --flips;
            bytes[0] = static_cast<char>(bytes[0] ^ 1);
        }
        for (std::size_t at = 0; at < bytes.size(); at += chunk_bytes) {
            loop_.after(base::milliseconds(1),
                        [handler, alive, part = bytes.substr(at, chunk_bytes)] {
                            if (*alive)
                                handler.on_bytes(part);
                        });
        }
        loop_.after(base::milliseconds(1), [handler, alive, end] {
            if (*alive)
                handler.on_end(end);
        });
        return transfer;
    }

    base::Prng prng{5};
    double cut_chance = 0;
    double more_chance = 0;
    bool away = false;
    int flips = 0;
    int gets = 0;
    std::uint64_t most_asked = 0;
    std::uint64_t served = 0;

private:
    static constexpr std::size_t chunk_bytes = 300'000;
    struct Running final : Transfer {
        ~Running() override { *alive = false; }
        std::shared_ptr<bool> alive = std::make_shared<bool>(true);
    };
    base::SimulatedLoop& loop_;
    std::string content_;
};

class FetcherTest : public testing::Test {
protected:
    FetcherTest() {
        base::Prng prng(1);
        content.resize(20'000'000);
        for (char& byte : content)
            byte = static_cast<char>(prng.next());
        name = sha256_of(content);
        source = std::make_unique<FakeSource>(loop, content);
        open();
    }
    void open(std::uint64_t limit = 100'000'000) {
        fetcher.reset();
        blobs.reset();
        blobs = open_memory_blobs(loop, shelf, limit);
    }
    void begin() {
        end.reset();
        FetchHandler handler;
        handler.on_progress = [this](std::uint64_t bytes) { told.push_back(bytes); };
        handler.on_retry = [this](const base::Error&, base::Duration wait) {
            waits.push_back(wait);
        };
        handler.on_end = [this](const base::Result<Blob>& result) {
            EXPECT_FALSE(end) << "ended twice";
            end = result;
        };
        fetcher = std::make_unique<Fetcher>(
            loop, *blobs, *source, FetchJob{"http://a/" + name, name, content.size(), 9}, handler);
    }
    bool wait() {
        return loop.run_while_not([&] { return end.has_value(); }, base::minutes(60));
    }

    base::SimulatedLoop loop;
    std::string content;
    std::string name;
    std::shared_ptr<MemoryShelf> shelf = std::make_shared<MemoryShelf>();
    std::unique_ptr<Blobs> blobs;
    std::unique_ptr<FakeSource> source;
    std::unique_ptr<Fetcher> fetcher;
    std::optional<base::Result<Blob>> end;
    std::vector<std::uint64_t> told;
    std::vector<base::Duration> waits;
};

TEST_F(FetcherTest, FetchesInStretches) {
    begin();
    ASSERT_TRUE(wait());
    ASSERT_TRUE(*end) << end->error().message;
    EXPECT_EQ((*end)->bytes, content.size());
    EXPECT_EQ(source->gets, 3);
    EXPECT_EQ(source->most_asked, fetch_bytes_max);
    EXPECT_EQ(source->served, content.size());
    EXPECT_EQ(shelf->files.at(name).bytes, content);
}

TEST_F(FetcherTest, GoesOnWhereItWasCutOff) {
    source->cut_chance = 0.9;
    source->more_chance = 0.5;
    begin();
    ASSERT_TRUE(wait());
    ASSERT_TRUE(*end) << end->error().message;
    EXPECT_EQ(shelf->files.at(name).bytes, content);
    EXPECT_GE(waits.size(), 3U);
    EXPECT_TRUE(std::ranges::is_sorted(told));
}

TEST_F(FetcherTest, AFlippedByteIsFetchedAgain) {
    source->flips = 1;
    begin();
    ASSERT_TRUE(wait());
    ASSERT_TRUE(*end) << end->error().message;
    EXPECT_EQ(source->served, 2 * content.size());
    EXPECT_EQ(shelf->files.at(name).bytes, content);
}

TEST_F(FetcherTest, GivesUpWhenTheAddressServesSomethingElse) {
    source->flips = 1'000'000;
    begin();
    ASSERT_TRUE(wait());
    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().kind, base::ErrorKind::bad_input) << end->error().message;
    EXPECT_EQ(source->served, verification_attempts_max * content.size());
    EXPECT_FALSE(shelf->files.contains(name));
}

TEST_F(FetcherTest, BacksOffWithJitterAndGivesUpWithoutProgress) {
    source->away = true;
    begin();
    ASSERT_TRUE(wait());
    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().kind, base::ErrorKind::unavailable);
    ASSERT_EQ(waits.size(), static_cast<std::size_t>(fetch_failures_max - 1));
    base::Duration full = fetch_retry_min;
    for (const base::Duration wait : waits) {
        EXPECT_GE(wait, full / 2);
        EXPECT_LE(wait, full);
        full = std::min(full * 2, fetch_retry_max);
    }
}

TEST_F(FetcherTest, ADiskWithoutRoomEndsIt) {
    open(content.size() - 1);
    begin();
    ASSERT_TRUE(wait());
    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().kind, base::ErrorKind::limit_exceeded) << end->error().message;
    EXPECT_TRUE(waits.empty());
    EXPECT_LE(source->gets, 1);
}

TEST_F(FetcherTest, AFullDiskEndsItAndKeepsWhatIsThere) {
    shelf->capacity_bytes = 50'000'000;
    begin();
    loop.run_while_not([&] { return blobs->progress(name).bytes > 5'000'000; }, base::minutes(1));
    shelf->capacity_bytes = 10'000'000;
    ASSERT_TRUE(wait());
    ASSERT_FALSE(*end);
    EXPECT_EQ(end->error().kind, base::ErrorKind::limit_exceeded);
    shelf->capacity_bytes = 50'000'000;
    const std::uint64_t served = source->served;
    begin();
    ASSERT_TRUE(wait());
    EXPECT_TRUE(*end);
    EXPECT_LT(source->served - served, content.size());
}

TEST_F(FetcherTest, AnotherLifeGoesOn) {
    begin();
    loop.run_while_not([&] { return blobs->progress(name).bytes > 5'000'000; }, base::minutes(1));
    open();
    ASSERT_FALSE(end);
    const std::uint64_t there = blobs->progress(name).bytes;
    EXPECT_GT(there, 5'000'000U);
    const std::uint64_t served = source->served;
    begin();
    ASSERT_TRUE(wait());
    ASSERT_TRUE(*end) << end->error().message;
    EXPECT_EQ(source->served - served, content.size() - there);
    begin();
    ASSERT_TRUE(wait());
    EXPECT_TRUE(*end) << "there already";
    EXPECT_EQ(source->served - served, content.size() - there);
}

}  // namespace
}  // namespace idlewatt::blobs
