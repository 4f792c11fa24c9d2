// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What only a server can suffer: it dies, comes back, refuses, and several processes use it.
#include "store/postgresql_store.hpp"

#include <thread>

#include <gtest/gtest.h>

#include "store/postgresql_fixture_test.hpp"
#include "store/store_fixture_test.hpp"

namespace idlewatt::store {
namespace {

class PostgresqlStore : public testing::Test {
protected:
    std::unique_ptr<Store> open() {
        auto opened = open_postgresql_store(loop, connection);
        EXPECT_TRUE(opened) << opened.error().message;
        return opened ? std::move(*opened) : nullptr;
    }

    base::AsioLoop loop;
    std::string connection = PostgresqlServer::shared().new_connection();
};

TEST_F(PostgresqlStore, ADeathOfTheServerCostsOnlyTheTimeOfItsAbsence) {
    PostgresqlServer& server = PostgresqlServer::shared();
    auto store = open();
    ASSERT_TRUE(store);
    std::uint64_t number = 0;
    for (const int signal : {SIGQUIT, SIGKILL}) {
        ASSERT_EQ(add(loop, *store, sample_receipts("a", number, 10)), 10U);
        server.end(signal);
        for (int i = 0; i < 3; ++i) {
            const auto away = add(loop, *store, sample_receipts("a", number + 10, 10));
            ASSERT_FALSE(away);
            EXPECT_EQ(away.error().kind, base::ErrorKind::unavailable) << away.error().message;
        }
        server.start();
        base::Result<std::size_t> added = base::fail(base::ErrorKind::unavailable, "not asked yet");
        for (int tries = 0; tries < 200 && !added; ++tries) {
            loop.run_for(base::milliseconds(50));
            added = add(loop, *store, sample_receipts("a", number, 20));
        }
        ASSERT_TRUE(added) << added.error().message;
        EXPECT_EQ(*added, 10U) << "what was acknowledged is there, the rest was not";
        number += 20;
    }
    EXPECT_EQ(totals(loop, *store)->receipts, 40U);
}

TEST_F(PostgresqlStore, SeveralProcessesMakeTheTablesAtOnce) {
    std::vector<std::thread> threads;
    std::vector<std::string> errors(4);
    for (std::string& error : errors) {
        threads.emplace_back([&error, this] {
            base::AsioLoop own;
            const auto opened = open_postgresql_store(own, connection);
            if (!opened)
                error = opened.error().message;
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    for (const std::string& error : errors)
        EXPECT_EQ(error, "");
}

// The bug of SOCI's vector statements that this module avoids: the second batch was the first one
// again, without an error.
TEST_F(PostgresqlStore, EveryBatchIsWrittenWithItsOwnValues) {
    auto store = open();
    for (std::uint64_t batch = 0; batch < 10; ++batch)
        ASSERT_EQ(add(loop, *store, sample_receipts("a", batch * 200, 200)), 200U);
    soci::session sql(soci::postgresql, connection);
    int distinct = 0;
    sql << "SELECT COUNT(DISTINCT attempt) FROM receipt", soci::into(distinct);
    EXPECT_EQ(distinct, 2000);
}

// A text that the database refuses must not keep other cars' receipts out, though they may be in
// the same transaction.
TEST_F(PostgresqlStore, ABatchThatIsNotTakenStandsAlone) {
    auto store = open();
    std::size_t answered = 0;
    std::size_t taken = 0;
    for (std::uint64_t i = 0; i < 20; ++i) {
        std::vector<StoredReceipt> batch = sample_receipts("a", i * 10, 10);
        if (i == 7)
            batch.back().receipt.model = "\xff\xfe";
        store->add_receipts(batch, [&, i](const base::Result<std::size_t>& added) {
            EXPECT_EQ(added.has_value(), i != 7);
            taken += added.value_or(0);
            if (++answered == 20)
                loop.stop();
        });
    }
    loop.run_for(base::seconds(120));
    EXPECT_EQ(answered, 20U);
    EXPECT_EQ(taken, 190U);
    EXPECT_EQ(totals(loop, *store)->receipts, 190U);
}

TEST_F(PostgresqlStore, AnotherVersionIsRefused) {
    open().reset();
    soci::session(soci::postgresql, connection) << "UPDATE idlewatt_schema SET version = 99";
    const auto opened = open_postgresql_store(loop, connection);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, base::ErrorKind::bad_input);
}

TEST_F(PostgresqlStore, AServerThatIsNotThereIsUnavailableAndItsPasswordStaysSecret) {
    for (const char* nowhere : {"host=/nowhere user=x password=hush",
                                "postgresql://x:hush@127.0.0.1:1/y?connect_timeout=1"}) {
        const auto opened = open_postgresql_store(loop, nowhere);
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().kind, base::ErrorKind::unavailable);
        EXPECT_EQ(opened.error().message.find("hush"), std::string::npos) << opened.error().message;
    }
    EXPECT_EQ(open_postgresql_store(loop, " \n").error().kind, base::ErrorKind::bad_input);
}

}  // namespace
}  // namespace idlewatt::store
