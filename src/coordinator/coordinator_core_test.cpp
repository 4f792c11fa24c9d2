// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/coordinator_core.hpp"

#include <gtest/gtest.h>

namespace idlewatt::coordinator {
namespace {

const core::VehicleId car("car-1");
constexpr base::Instant core_start{1'000'000'000'000};

Incoming receipt(const std::string& id, const core::VehicleId& vehicle = car) {
    Incoming incoming;
    incoming.receipt.emplace();
    incoming.receipt->id = core::ReceiptId(id);
    incoming.receipt->vehicle = vehicle;
    incoming.signed_receipt = {core::ReceiptId(id), "payload of " + id, "signature"};
    return incoming;
}

template <class T>
const T* find(const std::vector<Effect>& effects) {
    for (const Effect& effect : effects) {
        if (const T* found = std::get_if<T>(&effect))
            return found;
    }
    return nullptr;
}

class CoordinatorCoreTest : public testing::Test {
protected:
    std::vector<Effect> feed(const Event& event) { return core.handle(event, now); }
    std::vector<Effect> load(std::vector<store::Vehicle> vehicles) {
        return feed(VehiclesLoaded{std::move(vehicles)});
    }
    static store::Vehicle with_key(const std::string& key) { return {car, key, {}}; }
    void start_with(std::vector<store::Vehicle> vehicles) {
        ASSERT_TRUE(find<LoadVehicles>(feed(Started{})));
        load(std::move(vehicles));
    }

    base::Instant now = core_start;
    CoordinatorCore core;
};

TEST_F(CoordinatorCoreTest, ABatchIsCheckedCommittedAndOnlyThenAnswered) {
    start_with({with_key("K")});
    const auto asked = feed(BatchArrived{BatchId(1), car, {receipt("a"), receipt("b")}});
    ASSERT_EQ(asked.size(), 1U);
    ASSERT_TRUE(find<CheckSignatures>(asked));
    EXPECT_EQ(find<CheckSignatures>(asked)->public_key, "K");
    EXPECT_EQ(find<CheckSignatures>(asked)->receipts.size(), 2U);
    const auto commit = feed(SignaturesChecked{BatchId(1), {true, true}});
    ASSERT_EQ(commit.size(), 1U);
    ASSERT_TRUE(find<Commit>(commit));
    // How many of them were new makes no difference to the car.
    const auto answered = feed(Committed{BatchId(1), 0});
    ASSERT_TRUE(find<Answer>(answered));
    EXPECT_EQ(find<Answer>(answered)->committed.size(), 2U);
    EXPECT_EQ(core.batches_open(), 0U);
}

TEST_F(CoordinatorCoreTest, AFailedCommitIsNotAnswered) {
    start_with({with_key("K")});
    feed(BatchArrived{BatchId(1), car, {receipt("a")}});
    feed(SignaturesChecked{BatchId(1), {true}});
    const auto failed =
        feed(Committed{BatchId(1), base::fail(base::ErrorKind::io, "the disk is full")});
    EXPECT_FALSE(find<Answer>(failed));
    EXPECT_TRUE(find<Forget>(failed));
    EXPECT_TRUE(find<Log>(failed));
    EXPECT_TRUE(core.has_room(car));
}

TEST_F(CoordinatorCoreTest, ContradictionsAreRefusedWithoutAskingFurther) {
    start_with({with_key("K")});
    Incoming unreadable = receipt("a");
    unreadable.receipt.reset();
    Incoming two_ids = receipt("b");
    two_ids.signed_receipt.id = core::ReceiptId("c");
    const Incoming of_another = receipt("d", core::VehicleId("car-2"));
    const auto effects = feed(BatchArrived{BatchId(1), car, {unreadable, two_ids, of_another}});
    ASSERT_TRUE(find<Answer>(effects));
    EXPECT_TRUE(find<Answer>(effects)->committed.empty());
    EXPECT_EQ(find<Answer>(effects)->refused,
              (std::vector{core::ReceiptId("a"), core::ReceiptId("c"), core::ReceiptId("d")}));
    EXPECT_FALSE(find<CheckSignatures>(effects));
}

TEST_F(CoordinatorCoreTest, AForgedReceiptIsRefusedTheOthersAreNot) {
    start_with({with_key("K")});
    now = now + base::seconds(10);
    feed(BatchArrived{BatchId(1), car, {receipt("good"), receipt("forged")}});
    // The list is older than the batch: it is read again before anything is refused for good.
    EXPECT_TRUE(find<LoadVehicles>(feed(SignaturesChecked{BatchId(1), {true, false}})));
    now = now + base::milliseconds(1);
    EXPECT_TRUE(find<CheckSignatures>(load({with_key("K")})));
    now = now + base::seconds(2);
    // That reading was asked for in the instant of the arrival, so once more.
    const auto again = feed(SignaturesChecked{BatchId(1), {true, false}});
    ASSERT_TRUE(find<LoadVehicles>(again));
    EXPECT_TRUE(find<CheckSignatures>(load({with_key("K")})));
    const auto commit = feed(SignaturesChecked{BatchId(1), {true, false}});
    ASSERT_TRUE(find<Commit>(commit));
    EXPECT_EQ(find<Commit>(commit)->receipts.size(), 1U);
    EXPECT_TRUE(find<Log>(commit));
    const auto answered = feed(Committed{BatchId(1), 1});
    EXPECT_EQ(find<Answer>(answered)->committed, (std::vector{core::ReceiptId("good")}));
    EXPECT_EQ(find<Answer>(answered)->refused, (std::vector{core::ReceiptId("forged")}));
}

TEST_F(CoordinatorCoreTest, ACarEnrolledAMomentAgoElsewhereIsFound) {
    start_with({});
    now = now + base::seconds(10);
    EXPECT_TRUE(find<LoadVehicles>(feed(BatchArrived{BatchId(1), car, {receipt("a")}})));
    const auto asked = load({with_key("K")});
    ASSERT_TRUE(find<CheckSignatures>(asked));
    EXPECT_EQ(find<CheckSignatures>(asked)->batch, BatchId(1));
}

TEST_F(CoordinatorCoreTest, ACarNobodyEnrolledIsRefused) {
    start_with({});
    now = now + base::milliseconds(100);
    // Soon after the last reading: it is read again a little later, not at once.
    const auto waits = feed(BatchArrived{BatchId(1), car, {receipt("a"), receipt("b")}});
    ASSERT_EQ(waits.size(), 1U);
    ASSERT_TRUE(find<WakeAfter>(waits));
    EXPECT_EQ(find<WakeAfter>(waits)->delay, base::milliseconds(900));
    now = now + base::milliseconds(900);
    EXPECT_TRUE(find<LoadVehicles>(feed(Woken{})));
    const auto refused = load({});
    ASSERT_TRUE(find<Answer>(refused));
    EXPECT_EQ(find<Answer>(refused)->refused.size(), 2U);
}

TEST_F(CoordinatorCoreTest, TheListIsReadAgainUntilItCanBeRead) {
    feed(Started{});
    const auto failed =
        feed(VehiclesLoaded{base::fail(base::ErrorKind::io, "the database is away")});
    ASSERT_TRUE(find<WakeAfter>(failed));
    now = now + find<WakeAfter>(failed)->delay;
    EXPECT_TRUE(find<LoadVehicles>(feed(Woken{})));
    load({with_key("K")});
    EXPECT_EQ(core.vehicles().size(), 1U);
}

TEST_F(CoordinatorCoreTest, EnrollingEndsInTheStore) {
    start_with({});
    EXPECT_TRUE(find<StoreVehicle>(feed(EnrolAsked{with_key("K")})));
    EXPECT_EQ(core.vehicles().size(), 0U);
    const auto done = feed(VehicleStored{with_key("K"), {}});
    ASSERT_TRUE(find<Enrolled>(done));
    EXPECT_TRUE(find<Enrolled>(done)->done);
    EXPECT_EQ(core.vehicles().size(), 1U);
}

TEST_F(CoordinatorCoreTest, WhatSomebodyElseStoredEndsNoOrder) {
    start_with({});
    feed(EnrolAsked{with_key("K")});
    EXPECT_FALSE(find<Enrolled>(feed(VehicleStored{with_key("L"), {}, false})));
    EXPECT_EQ(core.vehicles().size(), 1U);
    EXPECT_TRUE(find<Enrolled>(feed(VehicleStored{with_key("K"), {}})));
}

TEST_F(CoordinatorCoreTest, TheQueueIsBounded) {
    start_with({});
    std::uint64_t next = 1;
    for (std::size_t i = 0; i < batches_max; ++i) {
        const core::VehicleId one("car-" + std::to_string(i));
        EXPECT_TRUE(core.has_room(one));
        feed(BatchArrived{BatchId(next++), one, {receipt("r", one)}});
        EXPECT_FALSE(core.has_room(one)) << "one batch a car";
    }
    EXPECT_FALSE(core.has_room(core::VehicleId("one-more")));
    EXPECT_TRUE(find<Forget>(feed(BatchArrived{BatchId(next), car, {receipt("a")}})));
    EXPECT_EQ(core.batches_open(), batches_max);
}

}  // namespace
}  // namespace idlewatt::coordinator
