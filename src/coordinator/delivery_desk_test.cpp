// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Gateways' delivery records arrive once, or are refused with a reason.
#include "coordinator/coordinator_fixture_test.hpp"

namespace idlewatt::coordinator {
namespace {

const core::GatewayId gateway_id{"gw"};

class DeliveryTest : public OfficeTest {
protected:
    [[nodiscard]] core::SignedDelivery record(std::uint64_t number,
                                              const core::GatewayId& of = gateway_id) const {
        core::Delivery delivery;
        delivery.id = core::DeliveryId("d" + std::to_string(number));
        delivery.gateway = of;
        delivery.vehicle = core::VehicleId("car");
        delivery.work = core::WorkId("w" + std::to_string(number));
        delivery.attempt = core::AttemptId("a" + std::to_string(number));
        delivery.model = "tiny";
        delivery.delivered_tokens = 7;
        delivery.started_at = loop.wall_now();
        core::SignedDelivery made{delivery.id, wire::encode(delivery), {}};
        made.signature = key.sign(made.payload);
        return made;
    }
    [[nodiscard]] std::string jwt(const std::string& name, std::string_view tag,
                                  std::optional<base::WallTime> expires = std::nullopt) const {
        return identity::mint_user_jwt(test_authority().account, key.public_key(), name, {},
                                       loop.wall_now(), expires, tag);
    }
    [[nodiscard]] std::string good_jwt() const { return jwt("G_gw", identity::gateway_tag); }
    std::optional<wire::DeliveriesAnswer> send(const wire::DeliveryBatch& batch) {
        const auto answer =
            ask(*gateway, test_subjects.deliveries(gateway_id), wire::encode(batch));
        if (!answer)
            return std::nullopt;
        return wire::decode_deliveries_answer(*answer).value();
    }

    identity::KeyPair key = user(77);
    std::unique_ptr<bus::Bus> gateway = hub.connect("G_gw", "G_gw");
};

TEST_F(DeliveryTest, EachIsCommittedOnceAndAcknowledgedAlways) {
    wire::DeliveryBatch batch{good_jwt(), {}};
    for (std::uint64_t i = 0; i < 100; ++i)
        batch.deliveries.push_back(record(i));
    for (int round = 0; round < 2; ++round) {
        const auto answer = send(batch);
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->committed.size(), 100U);
        EXPECT_TRUE(answer->refused.empty());
        EXPECT_EQ(database->deliveries.size(), 100U);
    }
}

TEST_F(DeliveryTest, NothingIsAcknowledgedThatIsNotCommitted) {
    database->failing = true;
    EXPECT_FALSE(send({good_jwt(), {record(1)}}));
    database->failing = false;
    EXPECT_TRUE(send({good_jwt(), {record(1)}})) << "the gateway is not blocked by the failure";
    EXPECT_EQ(database->deliveries.size(), 1U);
}

TEST_F(DeliveryTest, WhatTheGatewayDidNotSignIsRefusedForGood) {
    core::SignedDelivery inflated = record(1);
    core::Delivery changed = *wire::decode_delivery(inflated.payload);
    changed.delivered_tokens = 1'000'000;
    inflated.payload = wire::encode(changed);
    core::SignedDelivery garbage = record(2);
    garbage.payload = "garbage";
    core::SignedDelivery renamed = record(3);
    renamed.id = core::DeliveryId("other");
    const core::SignedDelivery of_another = record(4, core::GatewayId("gw2"));
    const auto answer = send({good_jwt(), {record(5), inflated, garbage, renamed, of_another}});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->committed, std::vector{core::DeliveryId("d5")});
    EXPECT_EQ(answer->refused.size(), 4U);
    ASSERT_EQ(database->deliveries.size(), 1U);
    EXPECT_EQ(database->deliveries[0].delivery.delivered_tokens, 7U);
}

TEST_F(DeliveryTest, WhoIsNoGatewayIsNotHeard) {
    const auto stranger = identity::KeyPair::for_test(identity::KeyKind::account, 9);
    const std::string bad[] = {
        jwt("G_other", identity::gateway_tag),
        jwt("G_gw", identity::vehicle_tag),
        jwt("car", {}),
        jwt("G_gw", identity::gateway_tag, loop.wall_now() + base::seconds(-1)),
        identity::mint_user_jwt(stranger, key.public_key(), "G_gw", {}, loop.wall_now(),
                                std::nullopt, identity::gateway_tag),
        "x.y.z",
        "",
    };
    for (const std::string& one : bad)
        EXPECT_FALSE(send({one, {record(1)}})) << one;
    EXPECT_FALSE(ask(*gateway, test_subjects.deliveries(gateway_id), "\xff garbage"));
    EXPECT_TRUE(database->deliveries.empty());
}

}  // namespace
}  // namespace idlewatt::coordinator
