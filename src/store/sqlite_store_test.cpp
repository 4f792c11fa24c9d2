// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What only a file can suffer: kill -9, damage, a full disk, another version, another process.
#include "store/sqlite_store.hpp"

#include <csignal>
#include <fstream>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include "store/schema.hpp"
#include "store/store_fixture_test.hpp"

namespace idlewatt::store {
namespace {

class SqliteStore : public testing::Test {
protected:
    std::unique_ptr<Store> open() {
        auto opened = open_sqlite_store(loop, path);
        EXPECT_TRUE(opened) << opened.error().message;
        return opened ? std::move(*opened) : nullptr;
    }

    TemporaryFolder folder;
    std::string path = folder.file("cell.db");
    base::AsioLoop loop;
};

TEST_F(SqliteStore, IsItsOwnersAlone) {
    ASSERT_TRUE(open());
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

constexpr std::uint64_t batch_size = 5;

// Adds batch after batch, four at a time, and reports each acknowledged one.
[[noreturn]] void commit_until_killed(const std::string& path, std::uint64_t first, int report_to) {
    base::AsioLoop loop;
    auto store = open_sqlite_store(loop, path);
    if (!store)
        ::_exit(1);
    std::uint64_t next = first;
    std::function<void()> more = [&] {
        const std::uint64_t batch = next++;
        (*store)->add_receipts(sample_receipts("car", batch * batch_size, batch_size),
                               [&, batch](const base::Result<std::size_t>& added) {
                                   if (!added)
                                       ::_exit(1);
                                   if (::write(report_to, &batch, sizeof batch) != sizeof batch) {
                                       ::_exit(1);
                                   }
                                   more();
                               });
    };
    for (int i = 0; i < 4; ++i)
        more();
    loop.run();
    ::_exit(1);
}

TEST_F(SqliteStore, KillMinusNineLosesNothingThatWasAcknowledged) {
    std::uint64_t next = 0;
    for (std::uint64_t round = 0; round < 6; ++round) {
        int pipe[2];
        ASSERT_EQ(::pipe(pipe), 0);
        const pid_t child = ::fork();
        if (child == 0)
            commit_until_killed(path, next, pipe[1]);
        ::close(pipe[1]);
        std::uint64_t last = 0;
        const std::uint64_t wanted = next + 20 + round * 13;
        while (last < wanted)
            ASSERT_EQ(::read(pipe[0], &last, sizeof last), sizeof last);
        ::kill(child, SIGKILL);
        while (::read(pipe[0], &last, sizeof last) == sizeof last) {
        }
        ::close(pipe[0]);
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);

        auto store = open();
        ASSERT_TRUE(store);
        const std::uint64_t acknowledged = (last + 1) * batch_size;
        const auto found = totals(loop, *store);
        ASSERT_TRUE(found);
        EXPECT_GE(found->receipts, acknowledged);
        EXPECT_EQ(found->receipts % batch_size, 0U) << "a batch is there whole or not at all";
        EXPECT_EQ(found->generated_tokens, found->receipts * 10);
        // Every one of them is there: sent again, none is new.
        EXPECT_EQ(add(loop, *store, sample_receipts("car", 0, acknowledged)), 0U);
        next = last + 5;  // also beyond those that were committed without an answer
        ASSERT_TRUE(add(loop, *store, sample_receipts("car", 0, next * batch_size)));
    }
}

TEST_F(SqliteStore, WhatIsNoDatabaseIsRefused) {
    std::ofstream(path) << std::string(5000, 'x');
    const auto opened = open_sqlite_store(loop, path);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, base::ErrorKind::io);
    EXPECT_NE(opened.error().message.find(path), std::string::npos);
    EXPECT_NE(opened.error().message.find("not a database"), std::string::npos)
        << opened.error().message;
    EXPECT_FALSE(open_sqlite_store(loop, folder.file("nowhere/cell.db")));
    EXPECT_FALSE(open_sqlite_store(loop, ""));
}

TEST_F(SqliteStore, DamageEndsInAnErrorNotInAFalseAnswer) {
    constexpr std::uint64_t count = 2000;
    ASSERT_EQ(add(loop, *open(), sample_receipts("car", 0, count)), count);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    // All pages but the first ones, which hold the schema.
    file.seekp(5 * 4096);
    file << std::string(100 * 4096, '\x5a') << std::flush;
    file.close();
    auto opened = open_sqlite_store(loop, path);
    if (!opened) {
        EXPECT_EQ(opened.error().kind, base::ErrorKind::io);
        return;
    }
    const auto added = add(loop, **opened, sample_receipts("car", 0, count));
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().kind, base::ErrorKind::io);
    EXPECT_LT(added.error().message.size(), 400U) << added.error().message;
}

TEST_F(SqliteStore, AnotherVersionIsRefused) {
    open().reset();
    soci::session(soci::sqlite3, "dbname=\"" + path + "\"")
        << "UPDATE idlewatt_schema SET version = 7";
    const auto opened = open_sqlite_store(loop, path);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, base::ErrorKind::bad_input);
    EXPECT_NE(opened.error().message.find("version 7"), std::string::npos);
}

// A file of the first release: its cars and receipts go on.
TEST_F(SqliteStore, AFileOfTheFirstVersionKeepsItsData) {
    {
        soci::session sql(soci::sqlite3, "dbname=\"" + path + "\"");
        sql << "CREATE TABLE idlewatt_schema (version INTEGER NOT NULL)";
        sql << "INSERT INTO idlewatt_schema VALUES (1)";
        for (const char* statement : schema_version_1)
            sql << statement;
        sql << "INSERT INTO vehicle VALUES ('car', 'UA', 5)";
        sql << "INSERT INTO receipt VALUES ('r1', 'car', 'gw', 'w1', 'a1', 'tiny', 'finished', 1, "
               "10, 7, 5, 6, 1.5, 1, 'f0', '00')";
        sql << "UPDATE receipt_total SET receipts = 1, generated_tokens = 10,"
               " acknowledged_tokens = 7";
    }
    for (int opening = 0; opening < 2; ++opening) {
        auto store = open();
        ASSERT_TRUE(store);
        EXPECT_EQ(totals(loop, *store)->receipts, 1U);
        const auto cars =
            wait_for<std::vector<Vehicle>>(loop, [&](auto done) { store->list_vehicles(done); });
        ASSERT_TRUE(cars) << cars.error().message;
        EXPECT_EQ(*cars, (std::vector<Vehicle>{{core::VehicleId("car"), "UA", base::WallTime{5}}}));
        StoredReceipt again = sample_receipt("car", 1);
        again.receipt.attempt = core::AttemptId("a1");
        EXPECT_EQ(add(loop, *store, {again}), 0U) << "its attempt has a receipt already";
    }
}

// A file of the time before clients had files and batches.
TEST_F(SqliteStore, AFileOfTheSecondVersionGetsTablesForBatches) {
    {
        soci::session sql(soci::sqlite3, "dbname=\"" + path + "\"");
        sql << "CREATE TABLE idlewatt_schema (version INTEGER NOT NULL)";
        sql << "INSERT INTO idlewatt_schema VALUES (2)";
        for (const char* statement : schema_version_1)
            sql << statement;
        for (const char* statement : schema_version_2)
            sql << statement;
        sql << "INSERT INTO model VALUES ('m', '00', 1, '', '', 0, 0, 1, 5)";
    }
    auto store = open();
    ASSERT_TRUE(store);
    Batch batch;
    batch.id = "batch_1";
    EXPECT_TRUE(wait_for<void>(loop, [&](auto done) { store->put_batch(batch, done); }));
    const auto open_ones =
        wait_for<std::vector<Batch>>(loop, [&](auto done) { store->open_batches(done); });
    EXPECT_EQ(open_ones.value(), std::vector<Batch>{batch});
    const auto models =
        wait_for<std::vector<core::Model>>(loop, [&](auto done) { store->list_models(done); });
    EXPECT_EQ(models.value().size(), 1U);
}

TEST_F(SqliteStore, AFullDiskIsReportedAndCanBeLeft) {
    auto store = open();
    ASSERT_EQ(add(loop, *store, sample_receipts("car", 0, 10)), 10U);
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit full{64 * 1024, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &full);
    const auto refused = add(loop, *store, sample_receipts("car", 10, 1000));
    ::setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, base::ErrorKind::io);
    EXPECT_EQ(totals(loop, *store)->receipts, 10U);
    EXPECT_EQ(add(loop, *store, sample_receipts("car", 0, 1010)), 1000U);
    EXPECT_EQ(totals(loop, *store)->receipts, 1010U);
}

TEST_F(SqliteStore, TwoProcessesMayWrite) {
    auto first = open();
    auto second = open();
    for (std::uint64_t i = 0; i < 20; ++i) {
        ASSERT_EQ(add(loop, *first, sample_receipts("a", i * 3, 3)), 3U);
        ASSERT_EQ(add(loop, *second, sample_receipts("b", i * 3, 3)), 3U);
    }
    EXPECT_EQ(totals(loop, *first)->receipts, 120U);
}

}  // namespace
}  // namespace idlewatt::store
