// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What every store does: the same suite on SQLite, on a real PostgreSQL and on the twin.
#include "store/store.hpp"

#include <memory>

#include <gtest/gtest.h>

#include "store/store_medium_test.hpp"

namespace idlewatt::store {
namespace {

constexpr base::WallTime now{1'790'000'000'000'000};

// Looks like a hash.
std::string sha(const std::string& text) {
    return text + std::string(64 - text.size(), '0');
}

class StoreConformance : public StoreOnMedium {
protected:
    base::Result<void> put(const Vehicle& vehicle) {
        return wait_for<void>(loop, [&](auto done) { store->put_vehicle(vehicle, done); });
    }
    std::vector<Vehicle> vehicles() {
        auto all =
            wait_for<std::vector<Vehicle>>(loop, [&](auto done) { store->list_vehicles(done); });
        EXPECT_TRUE(all);
        return all.value_or(std::vector<Vehicle>{});
    }

    template <class T, class... Arguments>
    using Call = void (Store::*)(Arguments..., Store::Callback<T>);
    template <class T, class... Arguments>
    base::Result<T> ask(std::type_identity_t<Call<T, Arguments...>> call,
                        std::type_identity_t<Arguments>... arguments) {
        return wait_for<T>(loop, [&](auto done) { ((*store).*call)(arguments..., done); });
    }
    base::Result<Vehicle> claim(const std::string& token, const std::string& public_key,
                                const std::string& id, base::WallTime at = now) {
        return ask<Vehicle, EnrolmentClaim>(
            &Store::claim_enrolment,
            {sha(token), public_key, "", {core::VehicleId(id)}, at, at + base::minutes(60)});
    }
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

TEST_P(StoreConformance, VehiclesKeepEverything) {
    const Vehicle car{core::VehicleId("car"), "UA", now, "the blue one", "north", true, true,
                      now + base::seconds(1), now};
    ASSERT_TRUE(put(car));
    reopen();
    EXPECT_EQ(vehicles(), std::vector<Vehicle>{car});
}

TEST_P(StoreConformance, ATokenLetsOneCarIn) {
    const Enrolment token{"e1", sha("t"), "depot", "north", now, now + base::minutes(60)};
    ASSERT_TRUE((ask<void, Enrolment>(&Store::add_enrolment, token)));
    EXPECT_EQ(claim("other", "UA", "a").error().kind, base::ErrorKind::denied);
    EXPECT_EQ(claim("t", "UA", "a", token.expires_at).error().kind, base::ErrorKind::denied);
    const auto car = claim("t", "UA", "a");
    ASSERT_TRUE(car) << car.error().message;
    EXPECT_EQ(*car, (Vehicle{core::VehicleId("a"), "UA", now, "depot", "north", false, false,
                             std::nullopt, now + base::minutes(60)}));
    EXPECT_EQ(claim("t", "UB", "b").error().kind, base::ErrorKind::denied);
    EXPECT_EQ(claim("t", "UA", "a").value(), *car) << "whoever has won may ask again";
    reopen();
    const auto kept = ask<std::vector<Enrolment>>(&Store::list_enrolments);
    ASSERT_TRUE(kept);
    ASSERT_EQ(kept->size(), 1U);
    EXPECT_EQ(kept->front().used_at, now);
    EXPECT_EQ(kept->front().vehicle, core::VehicleId("a"));
    EXPECT_EQ(vehicles(), std::vector<Vehicle>{*car});
}

TEST_P(StoreConformance, AnEnrolledCarMovesAndARevokedOneDoesNotComeBack) {
    for (const std::string id : {"1", "2", "3"}) {
        const Enrolment token{id, sha("t" + id), "", "fleet" + id, now, now + base::minutes(60)};
        ASSERT_TRUE((ask<void, Enrolment>(&Store::add_enrolment, token)));
    }
    ASSERT_TRUE(claim("t1", "UA", "a"));
    const auto moved = claim("t2", "UA", "b");
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->id, core::VehicleId("a"));
    EXPECT_EQ(moved->fleet, "fleet2");
    Vehicle revoked = *moved;
    revoked.revoked_at = now;
    ASSERT_TRUE(put(revoked));
    EXPECT_EQ(claim("t2", "UA", "a").error().kind, base::ErrorKind::denied);
    EXPECT_EQ(claim("t3", "UA", "a").error().kind, base::ErrorKind::denied);
    EXPECT_TRUE(claim("t3", "UB", "b")) << "the token was not used up by the one that was refused";
}

TEST_P(StoreConformance, AnIdThatIsTakenIsNotGivenTwice) {
    ASSERT_TRUE(put({core::VehicleId("a"), "UA", now}));
    ASSERT_TRUE((ask<void, Enrolment>(&Store::add_enrolment,
                                      {"1", sha("t"), "", "", now, now + base::minutes(60)})));
    const auto car = ask<Vehicle, EnrolmentClaim>(
        &Store::claim_enrolment,
        {sha("t"), "UB", "mine", {core::VehicleId("a"), core::VehicleId("a-2")}, now, now});
    ASSERT_TRUE(car) << car.error().message;
    EXPECT_EQ(car->id, core::VehicleId("a-2"));
    EXPECT_EQ(car->label, "mine");
    EXPECT_EQ(vehicles().front().public_key, "UA");
}

TEST_P(StoreConformance, AWithdrawnTokenLetsNobodyIn) {
    ASSERT_TRUE((ask<void, Enrolment>(&Store::add_enrolment,
                                      {"1", sha("t"), "", "", now, now + base::minutes(60)})));
    const auto gone =
        ask<Enrolment, std::string, base::WallTime>(&Store::revoke_enrolment, "1", now);
    ASSERT_TRUE(gone);
    EXPECT_EQ(gone->revoked_at, now);
    EXPECT_EQ(claim("t", "UA", "a").error().kind, base::ErrorKind::denied);
    const auto unknown =
        ask<Enrolment, std::string, base::WallTime>(&Store::revoke_enrolment, "2", now);
    EXPECT_EQ(unknown.error().kind, base::ErrorKind::not_found);
}

// Two processes, or two requests, with one token.
TEST_P(StoreConformance, OfManyCarsWithOneTokenOneWins) {
    for (int round = 0; round < 10; ++round) {
        const std::string token = "t" + std::to_string(round);
        ASSERT_TRUE((ask<void, Enrolment>(
            &Store::add_enrolment, {token, sha(token), "", "", now, now + base::minutes(60)})));
        const auto second = open();
        ASSERT_TRUE(second);
        std::size_t answered = 0;
        std::size_t won = 0;
        for (std::size_t i = 0; i < 8; ++i) {
            const std::string car = "car" + std::to_string(round) + "-" + std::to_string(i);
            (i % 2 == 0 ? *store : **second)
                .claim_enrolment(
                    {sha(token), "U" + car, "", {core::VehicleId(car)}, now, now},
                    [&](const base::Result<Vehicle>& claimed) {
                        won += claimed ? 1 : 0;
                        EXPECT_TRUE(claimed || claimed.error().kind == base::ErrorKind::denied)
                            << claimed.error().message;
                        if (++answered == 8)
                            loop.stop();
                    });
        }
        loop.run_for(base::seconds(120));
        ASSERT_EQ(answered, 8U);
        EXPECT_EQ(won, 1U);
    }
    EXPECT_EQ(vehicles().size(), 10U);
}

core::ApiKey sample_key(const std::string& id) {
    core::ApiKey key;
    key.id = core::KeyId(id);
    key.secret_sha256 = sha(id);
    key.label = "key of Zoë \"" + id + "\"";
    key.role = core::KeyRole::fleet_operator;
    key.limits = {1, 4'294'967'295U, 3};
    key.data_class = core::DataClass::own_fleet;
    key.fleet = "north";
    key.created_at = now;
    return key;
}

TEST_P(StoreConformance, KeysMakeABookWhoseVersionGrows) {
    for (const char* id : {"b", "a", "c"}) {
        ASSERT_TRUE((ask<std::uint64_t, core::ApiKey>(&Store::add_key, sample_key(id))));
    }
    EXPECT_FALSE((ask<std::uint64_t, core::ApiKey>(&Store::add_key, sample_key("a"))));
    using Found = std::optional<core::ApiKey>;
    EXPECT_EQ((ask<Found, std::string>(&Store::find_key, sha("b"))).value(), sample_key("b"));
    EXPECT_EQ((ask<Found, std::string>(&Store::find_key, sha("z"))).value(), std::nullopt);
    const auto page = [&](const char* after, std::size_t limit) {
        return ask<KeyPage, core::KeyId, std::size_t>(&Store::key_page, core::KeyId(after), limit);
    };
    EXPECT_EQ(page("", 2).value(), (KeyPage{3, {sample_key("a"), sample_key("b")}, true}));
    EXPECT_EQ(page("b", 2).value(), (KeyPage{3, {sample_key("c")}, false}));
    EXPECT_EQ(page("", 3)->more, false);

    const auto revoke = [&](const char* id, base::WallTime at) {
        return ask<core::ApiKey, core::KeyId, base::WallTime>(&Store::revoke_key, core::KeyId(id),
                                                              at);
    };
    EXPECT_EQ(revoke("b", now)->revoked_at, now);
    EXPECT_EQ(revoke("b", now + base::seconds(9))->revoked_at, now) << "once";
    EXPECT_EQ(revoke("z", now).error().kind, base::ErrorKind::not_found);
    reopen();
    const auto whole = page("", 100);
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->version, 4U);
    ASSERT_EQ(whole->keys.size(), 3U);
    EXPECT_EQ(whole->keys[1].revoked_at, now);
}

TEST_P(StoreConformance, ModelsAndAssignmentsAreKept) {
    const core::Model big{
        "llama/3:8b", sha("m"), 8'589'934'592, "llama", "Q8_0", 8'000'000'000, 131'072, 2, now};
    core::Model small = big;
    small.name = "a";
    small.replicas_min = 0;
    ASSERT_TRUE((ask<void, core::Model>(&Store::put_model, big)));
    ASSERT_TRUE((ask<void, core::Model>(&Store::put_model, small)));
    small.replicas_min = 7;
    ASSERT_TRUE((ask<void, core::Model>(&Store::put_model, small)));
    const VehicleAssignment a{core::VehicleId("a"), 1, "a"};
    const VehicleAssignment b{core::VehicleId("b"), 2, ""};
    const VehicleAssignment b_later{core::VehicleId("b"), 3, "llama/3:8b"};
    using Many = std::vector<VehicleAssignment>;
    ASSERT_TRUE((ask<void, Many>(&Store::put_assignments, {a, b})));
    ASSERT_TRUE((ask<void, Many>(&Store::put_assignments, {b_later})));
    ASSERT_TRUE((ask<void, Many>(&Store::put_assignments, {})));
    reopen();
    EXPECT_EQ(ask<std::vector<core::Model>>(&Store::list_models).value(),
              (std::vector<core::Model>{small, big}));
    EXPECT_EQ(ask<Many>(&Store::list_assignments).value(), (Many{a, b_later}));
    EXPECT_TRUE((ask<void, std::string>(&Store::erase_model, "a")));
    EXPECT_EQ((ask<void, std::string>(&Store::erase_model, "a")).error().kind,
              base::ErrorKind::not_found);
    EXPECT_EQ(ask<std::vector<core::Model>>(&Store::list_models).value(),
              std::vector<core::Model>{big});
}

StoredDelivery sample_delivery(const std::string& gateway, std::uint64_t number) {
    StoredDelivery stored;
    const std::string digits = std::to_string(1'000'000'000 + number);
    stored.delivery.id = core::DeliveryId("d" + digits);
    stored.delivery.gateway = core::GatewayId(gateway);
    stored.delivery.vehicle = core::VehicleId("car");
    stored.delivery.work = core::WorkId("w" + digits);
    stored.delivery.attempt = core::AttemptId("a" + digits);
    stored.delivery.model = "tiny";
    stored.delivery.delivered_tokens = 7;
    stored.delivery.last = true;
    stored.delivery.started_at = now;
    stored.signed_delivery = {stored.delivery.id, std::string(200, '\xf0'), std::string(64, '\0')};
    return stored;
}

TEST_P(StoreConformance, DeliveriesCountOnceByGatewayAndAttempt) {
    using Many = std::vector<StoredDelivery>;
    const auto add_some = [&](const Many& some) {
        return ask<std::size_t, Many>(&Store::add_deliveries, some);
    };
    EXPECT_EQ(add_some({sample_delivery("g1", 1), sample_delivery("g1", 2)}), 2U);
    EXPECT_EQ(add_some({sample_delivery("g1", 2), sample_delivery("g2", 2)}), 1U);
    StoredDelivery again = sample_delivery("g1", 3);
    again.delivery.attempt = sample_delivery("g1", 1).delivery.attempt;
    EXPECT_EQ(add_some({again}), 0U);
    reopen();
    EXPECT_EQ(ask<DeliveryTotals>(&Store::delivery_totals).value(), (DeliveryTotals{3, 21}));
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
    loop.run_for(base::seconds(120));
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
            EXPECT_TRUE(done || done.error().kind == base::ErrorKind::unavailable);
            if (taken + refused == calls)
                loop.stop();
        });
    }
    loop.run_for(base::seconds(120));
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

INSTANTIATE_TEST_SUITE_P(All, StoreConformance, testing::Values("sqlite", "memory", "postgresql"),
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
