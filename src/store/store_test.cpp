// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What every store does: the same suite on SQLite and on its twin.
#include "store/store.hpp"

#include <memory>

#include <gtest/gtest.h>

#include "store/memory_store.hpp"
#include "store/sqlite_store.hpp"
#include "store/store_fixture_test.hpp"

namespace idlewatt::store {
namespace {

class StoreConformance : public testing::TestWithParam<const char*> {
protected:
    StoreConformance() { reopen(); }

    void reopen() {
        store.reset();
        if (std::string_view(GetParam()) == "memory") {
            store = open_memory_store(loop, database);
            return;
        }
        auto opened = open_sqlite_store(loop, folder.file("cell.db"));
        ASSERT_TRUE(opened) << opened.error().message;
        store = std::move(*opened);
    }

    base::Result<void> put(const Vehicle& vehicle) {
        return wait_for<void>(loop, [&](auto done) { store->put_vehicle(vehicle, done); });
    }
    std::vector<Vehicle> vehicles() {
        auto all =
            wait_for<std::vector<Vehicle>>(loop, [&](auto done) { store->list_vehicles(done); });
        EXPECT_TRUE(all);
        return all.value_or(std::vector<Vehicle>{});
    }

    TemporaryFolder folder;
    base::AsioLoop loop;
    std::shared_ptr<MemoryDatabase> database = std::make_shared<MemoryDatabase>();
    std::unique_ptr<Store> store;
};

TEST_P(StoreConformance, VehiclesAreAddedAndReplaced) {
    EXPECT_TRUE(vehicles().empty());
    const Vehicle b{core::VehicleId("b"), "UB", base::WallTime{2}};
    const Vehicle a{core::VehicleId("a"), "UA", base::WallTime{1'790'000'000'000'000}};
    ASSERT_TRUE(put(b));
    ASSERT_TRUE(put({a.id, "old", base::WallTime{1}}));
    ASSERT_TRUE(put(a));
    EXPECT_EQ(vehicles(), (std::vector<Vehicle>{a, b}));
    reopen();
    EXPECT_EQ(vehicles(), (std::vector<Vehicle>{a, b}));
}

TEST_P(StoreConformance, ReceiptsCountOnce) {
    EXPECT_EQ(totals(loop, *store), ReceiptTotals{});
    EXPECT_EQ(add(loop, *store, {}), 0U);
    EXPECT_EQ(add(loop, *store, sample_receipts("a", 0, 10)), 10U);
    EXPECT_EQ(add(loop, *store, sample_receipts("a", 0, 10)), 0U);
    EXPECT_EQ(add(loop, *store, sample_receipts("a", 5, 10)), 5U);
    std::vector<StoredReceipt> twice = sample_receipts("a", 20, 1);
    twice.push_back(twice.front());
    EXPECT_EQ(add(loop, *store, twice), 1U);
    EXPECT_EQ(totals(loop, *store), (ReceiptTotals{16, 160, 112}));
    reopen();
    EXPECT_EQ(totals(loop, *store), (ReceiptTotals{16, 160, 112}));
}

TEST_P(StoreConformance, NoCarOccupiesAnothersIds) {
    EXPECT_EQ(add(loop, *store, sample_receipts("thief", 0, 5)), 5U);
    EXPECT_EQ(add(loop, *store, sample_receipts("victim", 0, 5)), 5U);
}

TEST_P(StoreConformance, AnAttemptHasOneReceipt) {
    StoredReceipt first = sample_receipt("a", 1);
    StoredReceipt second = sample_receipt("a", 2);
    second.receipt.attempt = first.receipt.attempt;
    EXPECT_EQ(add(loop, *store, {first}), 1U);
    EXPECT_EQ(add(loop, *store, {second}), 0U);
    EXPECT_EQ(totals(loop, *store)->receipts, 1U);
}

TEST_P(StoreConformance, AnswersInOrderAndNotInsideTheCall) {
    std::vector<int> order;
    bool inside = true;
    for (int i = 0; i < 100; ++i) {
        store->add_receipts(sample_receipts("a", static_cast<std::uint64_t>(i), 3),
                            [&, i](const auto& done) {
                                EXPECT_TRUE(done);
                                EXPECT_FALSE(inside);
                                order.push_back(i);
                            });
    }
    store->receipt_totals([&](const auto& found) {
        ASSERT_TRUE(found);
        EXPECT_EQ(found->receipts, 102U);
        loop.stop();
    });
    inside = false;
    loop.run_for(base::seconds(20));
    ASSERT_EQ(order.size(), 100U);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_P(StoreConformance, TooManyCallsAreRefusedNotKept) {
    std::size_t taken = 0;
    std::size_t refused = 0;
    const std::size_t calls = calls_max * 4;
    for (std::size_t i = 0; i < calls; ++i) {
        store->add_receipts({}, [&](const auto& done) {
            done ? ++taken : ++refused;
            EXPECT_TRUE(done || done.error().kind == base::ErrorKind::limit_exceeded);
            if (taken + refused == calls)
                loop.stop();
        });
    }
    loop.run_for(base::seconds(20));
    EXPECT_GE(taken, calls_max);
    EXPECT_EQ(taken + refused, calls);
}

TEST_P(StoreConformance, NoCallbackAfterItsEnd) {
    bool called = false;
    for (std::uint64_t i = 0; i < 50; ++i) {
        store->add_receipts(sample_receipts("a", i, 1), [&](const auto&) { called = true; });
    }
    store.reset();
    loop.run_for(base::milliseconds(20));
    EXPECT_FALSE(called);
    reopen();
    EXPECT_EQ(totals(loop, *store)->receipts, 50U) << "calls under way are carried out";
}

INSTANTIATE_TEST_SUITE_P(Both, StoreConformance, testing::Values("sqlite", "memory"),
                         [](const auto& which) { return std::string(which.param); });

TEST(MemoryStore, FailsWhenTold) {
    base::AsioLoop loop;
    auto database = std::make_shared<MemoryDatabase>();
    auto store = open_memory_store(loop, database);
    database->failing = true;
    EXPECT_FALSE(add(loop, *store, sample_receipts("a", 0, 3)));
    EXPECT_TRUE(database->receipts.empty());
    database->failing = false;
    EXPECT_EQ(add(loop, *store, sample_receipts("a", 0, 3)), 3U);
}

}  // namespace
}  // namespace idlewatt::store
