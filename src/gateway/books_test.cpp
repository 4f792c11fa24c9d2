// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a gateway keeps for the coordinator and from it, over deaths on both sides: delivery records
// and the key book.
#include <set>

#include <gtest/gtest.h>

#include "base/simulated_loop.hpp"
#include "bus/memory_bus.hpp"
#include "gateway/delivery_book.hpp"
#include "gateway/key_book_keeper.hpp"
#include "gateway/membership_book.hpp"
#include "identity/membership.hpp"
#include "spool/memory_spool.hpp"

namespace idlewatt::gateway {
namespace {

class Books : public ::testing::Test {
protected:
    void pass(base::Duration span) { loop.run_until(loop.now() + span); }
    std::unique_ptr<spool::Spool> open() {
        auto opened = spool::open_memory_spool(disk);
        EXPECT_TRUE(opened.has_value());
        return std::move(*opened);
    }

    base::SimulatedLoop loop;
    bus::MemoryHub hub{loop, 1};
    wire::Subjects subjects{"c1"};
    std::unique_ptr<bus::Bus> bus = hub.connect("g", "g");
    std::unique_ptr<bus::Bus> office = hub.connect("coordinator", "coordinator");
    std::shared_ptr<spool::MemoryDisk> disk = std::make_shared<spool::MemoryDisk>();
    identity::KeyPair key = identity::KeyPair::for_test(identity::KeyKind::user, 1);
};

class Deliveries : public Books {
protected:
    std::unique_ptr<DeliveryBook> book(spool::Spool& spool) {
        return std::make_unique<DeliveryBook>(loop, *bus, spool, key, subjects,
                                              core::GatewayId("g"), "jwt");
    }
    static core::Delivery delivery(int number) {
        core::Delivery made;
        made.id = core::DeliveryId("d" + std::to_string(number));
        made.gateway = core::GatewayId("g");
        made.vehicle = core::VehicleId("car");
        made.work = core::WorkId("w");
        made.attempt = core::AttemptId("w-" + std::to_string(number));
        made.model = "m";
        made.delivered_tokens = 7;
        return made;
    }
    // Takes in what comes; commits all but those that it refuses.
    void serve() {
        office->subscribe(subjects.all_deliveries(), [this](const bus::Message& message) {
            const auto batch = wire::decode_delivery_batch(message.payload);
            ASSERT_TRUE(batch.has_value());
            EXPECT_EQ(batch->user_jwt, "jwt");
            wire::DeliveriesAnswer answer;
            for (const core::SignedDelivery& one : batch->deliveries) {
                EXPECT_TRUE(identity::verify(key.public_key(), one.payload, one.signature));
                EXPECT_EQ(wire::decode_delivery(one.payload)->id, one.id);
                if (refused.contains(one.id.value)) {
                    answer.refused.push_back(one.id);
                } else {
                    ++taken[one.id.value];
                    answer.committed.push_back(one.id);
                }
            }
            if (answers)
                office->reply(message, wire::encode(answer));
        });
    }

    std::map<std::string, int> taken;
    std::set<std::string> refused;
    bool answers = true;
};

TEST_F(Deliveries, ArriveAndAreForgotten) {
    serve();
    const auto spool = open();
    const auto kept = book(*spool);
    for (int i = 0; i < 700; ++i)
        kept->add(delivery(i));
    EXPECT_EQ(kept->undelivered(), 700U);
    pass(base::seconds(3));
    EXPECT_EQ(taken.size(), 700U);
    EXPECT_EQ(kept->undelivered(), 0U);
    EXPECT_TRUE(spool->records().empty());
}

TEST_F(Deliveries, SurviveTheGatewaysDeathAndTheCoordinatorsAbsence) {
    {
        const auto spool = open();
        const auto kept = book(*spool);
        for (int i = 0; i < 5; ++i)
            kept->add(delivery(i));
        pass(base::seconds(60));
        EXPECT_EQ(kept->undelivered(), 5U);
    }
    serve();
    const auto spool = open();
    const auto kept = book(*spool);
    EXPECT_EQ(kept->undelivered(), 5U);
    pass(base::seconds(2));
    EXPECT_EQ(taken.size(), 5U);
    EXPECT_TRUE(spool->records().empty());
}

TEST_F(Deliveries, AreSentAgainUntilTheyAreAnswered) {
    serve();
    answers = false;
    const auto spool = open();
    const auto kept = book(*spool);
    kept->add(delivery(1));
    pass(base::seconds(20));
    EXPECT_EQ(kept->undelivered(), 1U);
    EXPECT_GT(taken["d1"], 1);
    answers = true;
    kept->deliver_now();
    pass(base::seconds(40));
    EXPECT_EQ(kept->undelivered(), 0U);
}

TEST_F(Deliveries, RefusedForGoodAreNotSentForEver) {
    serve();
    refused = {"d1"};
    const auto spool = open();
    const auto kept = book(*spool);
    kept->add(delivery(1));
    kept->add(delivery(2));
    pass(base::seconds(2));
    EXPECT_EQ(kept->undelivered(), 0U);
    EXPECT_EQ(taken.size(), 1U);
    ASSERT_EQ(spool->records().size(), 1U) << "set aside";
    EXPECT_EQ(spool->records()[0].key, "refused/d1");
}

TEST_F(Deliveries, AFullDiskLosesNothingThatLives) {
    serve();
    const auto spool = open();
    const auto kept = book(*spool);
    disk->set_full(true);
    kept->add(delivery(1));
    pass(base::seconds(2));
    EXPECT_EQ(taken.size(), 1U);
}

class Keys : public Books {
protected:
    void serve() {
        office->subscribe(subjects.coordinator_keys(), [this](const bus::Message& message) {
            const auto request = wire::decode_key_book_request(message.payload);
            ASSERT_TRUE(request.has_value());
            ++requests;
            wire::KeyBookPage page;
            page.book.version = book.version;
            page.book.issued_at = loop.wall_now();
            page.unchanged = request->after.value.empty() && request->known_version == book.version;
            for (const core::ApiKey& one : book.keys) {
                if (page.unchanged || one.id <= request->after)
                    continue;
                if (page.book.keys.size() == page_keys) {
                    page.more = true;
                    break;
                }
                page.book.keys.push_back(one);
            }
            if (changes_between_pages && page.more)
                ++book.version;
            changes_between_pages = false;
            office->reply(message, wire::encode(page));
        });
    }
    static core::KeyBook book_of(std::uint64_t version, int keys) {
        core::KeyBook made;
        made.version = version;
        for (int i = 0; i < keys; ++i) {
            core::ApiKey one;
            one.id = core::KeyId("k" + std::to_string(10'000 + i));
            one.secret_sha256 = std::string(64, 'a');
            one.label = "label";
            made.keys.push_back(std::move(one));
        }
        return made;
    }
    std::unique_ptr<KeyBookKeeper> keeper(spool::Spool* spool) {
        return std::make_unique<KeyBookKeeper>(
            loop, *bus, spool, subjects,
            KeyBookKeeper::Listener{[this](const core::KeyBook& got) { seen.push_back(got); },
                                    [this](base::WallTime) { ++confirmed; }});
    }

    core::KeyBook book;
    std::size_t page_keys = wire::keys_per_page_max;
    bool changes_between_pages = false;
    int requests = 0;
    int confirmed = 0;
    std::vector<core::KeyBook> seen;
};

TEST_F(Keys, ComeInPagesAtTheStartAndAfterEachChange) {
    serve();
    book = book_of(3, 2500);
    const auto keeping = keeper(nullptr);
    keeping->start();
    pass(base::seconds(1));
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].keys, book.keys);
    EXPECT_EQ(requests, 3);
    book.keys.pop_back();
    book.version = 4;
    office->publish(subjects.coordinator_changed(), "");
    pass(base::seconds(1));
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen[1].keys.size(), 2499U);
    pass(key_book_period * 3);
    EXPECT_EQ(seen.size(), 2U);
    EXPECT_GE(confirmed, 2);
}

TEST_F(Keys, ABookThatChangesUnderwayIsReadAgain) {
    serve();
    page_keys = 10;
    book = book_of(3, 25);
    changes_between_pages = true;
    const auto keeping = keeper(nullptr);
    keeping->start();
    pass(base::seconds(1));
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].version, 4U);
    EXPECT_EQ(seen[0].keys.size(), 25U);
}

TEST_F(Keys, AreThereAfterARestartWithoutACoordinator) {
    {
        serve();
        book = book_of(3, 2500);
        const auto spool = open();
        const auto keeping = keeper(spool.get());
        keeping->start();
        pass(base::seconds(1));
        book = book_of(4, 1200);
        keeping->ask();
        pass(base::seconds(1));
        EXPECT_EQ(spool->records().size(), 2U) << "only the last book is kept";
    }
    office.reset();
    seen.clear();
    const auto spool = open();
    const auto keeping = keeper(spool.get());
    keeping->start();
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].version, 4U);
    EXPECT_EQ(seen[0].keys, book.keys);
}

TEST_F(Keys, ACoordinatorThatComesLateIsAskedAgain) {
    const auto keeping = keeper(nullptr);
    keeping->start();
    pass(base::seconds(10));
    EXPECT_TRUE(seen.empty());
    book = book_of(0, 0);
    serve();
    pass(base::seconds(5));
    ASSERT_EQ(seen.size(), 1U) << "a book without keys is a book";
}

TEST(Memberships, AreBelievedOnlyOfTheCarThatTheyName) {
    const auto account = identity::KeyPair::for_test(identity::KeyKind::account, 1);
    const auto stranger = identity::KeyPair::for_test(identity::KeyKind::account, 2);
    const base::WallTime now{1'790'000'000'000'000};
    const base::WallTime later{now.us + 3'600'000'000};
    MembershipBook book(account.public_key());
    const auto shows = [&](const std::string& car, const std::string& membership) {
        core::Announcement announcement;
        announcement.vehicle = core::VehicleId(car);
        announcement.membership = membership;
        return announcement;
    };
    const auto mine = identity::mint_membership(account, {core::VehicleId("car"), "taxis", later});
    const auto forged =
        identity::mint_membership(stranger, {core::VehicleId("car"), "taxis", later});
    EXPECT_EQ(book.fleet_of(shows("car", forged), now), "");
    EXPECT_EQ(book.fleet_of(shows("car", mine), now), "taxis");
    EXPECT_EQ(book.fleet_of(shows("car", mine), now), "taxis") << "remembered";
    EXPECT_EQ(book.fleet_of(shows("car", mine), later), "") << "expired";
    EXPECT_EQ(book.fleet_of(shows("thief", mine), now), "");
    EXPECT_EQ(book.fleet_of(shows("car", ""), now), "");
    MembershipBook believes_nobody("");
    EXPECT_EQ(believes_nobody.fleet_of(shows("car", mine), now), "");
}

}  // namespace
}  // namespace idlewatt::gateway
