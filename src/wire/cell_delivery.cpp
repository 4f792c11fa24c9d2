// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire.pb.h"
#include "wire/cell.hpp"
#include "wire/checks.hpp"
#include "wire/wire.hpp"

namespace idlewatt::wire {

namespace {

constexpr Bounds delivery_bounds{"Delivery", receipt_bytes_max, 32};
constexpr Bounds batch_bounds{"DeliveryBatch", 1024 * 1024, deliveries_per_batch_max + 8};
constexpr Bounds deliveries_answer_bounds{"DeliveriesAnswer", 64 * 1024,
                                          2 * deliveries_per_batch_max};
constexpr Bounds renewal_bounds{"Renewal", 8 * 1024, 16};

template <class Ids>
void read_ids(Ids& in, std::string_view field, std::vector<core::DeliveryId>& out, Checks& checks) {
    checks.number(field, static_cast<std::size_t>(in.size()), 0, deliveries_per_batch_max);
    out.reserve(static_cast<std::size_t>(in.size()));
    for (std::string& id : in) {
        checks.id(field, id);
        out.emplace_back(std::move(id));
    }
}

}  // namespace

std::string encode(const core::Delivery& delivery) {
    v1::Delivery out;
    out.set_id(delivery.id.value);
    out.set_gateway(delivery.gateway.value);
    out.set_vehicle(delivery.vehicle.value);
    out.set_work(delivery.work.value);
    out.set_attempt(delivery.attempt.value);
    out.set_key(delivery.key.value);
    out.set_model(delivery.model);
    out.set_prompt_tokens(delivery.prompt_tokens);
    out.set_delivered_tokens(delivery.delivered_tokens);
    out.set_last(delivery.last);
    out.set_started_at_us(delivery.started_at.us);
    out.set_duration_ns(delivery.duration.ns);
    return out.SerializeAsString();
}

base::Result<core::Delivery> decode_delivery(std::string_view bytes) {
    v1::Delivery in;
    if (base::Result<void> parsed = parse(in, bytes, delivery_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(delivery_bounds.message);
    checks.id("id", in.id());
    checks.id("gateway", in.gateway());
    checks.id("vehicle", in.vehicle());
    checks.id("work", in.work());
    checks.id("attempt", in.attempt());
    checks.optional_id("key", in.key());
    checks.model("model", in.model());
    checks.that(in.started_at_us() >= 0, "started_at_us", "0 or more");
    checks.that(in.duration_ns() >= 0, "duration_ns", "0 or more");
    if (!checks.ok())
        return checks.error();

    core::Delivery delivery;
    delivery.id = core::DeliveryId(std::move(*in.mutable_id()));
    delivery.gateway = core::GatewayId(std::move(*in.mutable_gateway()));
    delivery.vehicle = core::VehicleId(std::move(*in.mutable_vehicle()));
    delivery.work = core::WorkId(std::move(*in.mutable_work()));
    delivery.attempt = core::AttemptId(std::move(*in.mutable_attempt()));
    delivery.key = core::KeyId(std::move(*in.mutable_key()));
    delivery.model = std::move(*in.mutable_model());
    delivery.prompt_tokens = in.prompt_tokens();
    delivery.delivered_tokens = in.delivered_tokens();
    delivery.last = in.last();
    delivery.started_at.us = in.started_at_us();
    delivery.duration.ns = in.duration_ns();
    return delivery;
}

std::string encode(const DeliveryBatch& batch) {
    v1::DeliveryBatch out;
    out.set_user_jwt(batch.user_jwt);
    for (const core::SignedDelivery& delivery : batch.deliveries) {
        v1::SignedDelivery& message = *out.add_deliveries();
        message.set_id(delivery.id.value);
        message.set_payload(delivery.payload);
        message.set_signature(delivery.signature);
    }
    return out.SerializeAsString();
}

base::Result<DeliveryBatch> decode_delivery_batch(std::string_view bytes) {
    v1::DeliveryBatch in;
    if (base::Result<void> parsed = parse(in, bytes, batch_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(batch_bounds.message);
    checks.text("user_jwt", in.user_jwt(), user_jwt_bytes_max);
    checks.number("the number of deliveries", static_cast<std::size_t>(in.deliveries_size()), 0,
                  deliveries_per_batch_max);
    DeliveryBatch batch;
    batch.user_jwt = std::move(*in.mutable_user_jwt());
    batch.deliveries.reserve(static_cast<std::size_t>(in.deliveries_size()));
    for (v1::SignedDelivery& message : *in.mutable_deliveries()) {
        checks.id("deliveries.id", message.id());
        checks.number("deliveries.payload's length", message.payload().size(), 1,
                      receipt_bytes_max);
        checks.number("deliveries.signature's length", message.signature().size(), 0,
                      signature_bytes_max);
        batch.deliveries.push_back({core::DeliveryId(std::move(*message.mutable_id())),
                                    std::move(*message.mutable_payload()),
                                    std::move(*message.mutable_signature())});
    }
    if (!checks.ok())
        return checks.error();
    return batch;
}

std::string encode(const DeliveriesAnswer& answer) {
    v1::DeliveriesAnswer out;
    for (const core::DeliveryId& id : answer.committed)
        out.add_committed(id.value);
    for (const core::DeliveryId& id : answer.refused)
        out.add_refused(id.value);
    return out.SerializeAsString();
}

base::Result<DeliveriesAnswer> decode_deliveries_answer(std::string_view bytes) {
    v1::DeliveriesAnswer in;
    if (base::Result<void> parsed = parse(in, bytes, deliveries_answer_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(deliveries_answer_bounds.message);
    DeliveriesAnswer answer;
    read_ids(*in.mutable_committed(), "committed", answer.committed, checks);
    read_ids(*in.mutable_refused(), "refused", answer.refused, checks);
    if (!checks.ok())
        return checks.error();
    return answer;
}

std::string encode(const Renewal& renewal) {
    v1::Renewal out;
    out.set_user_jwt(renewal.user_jwt);
    out.set_membership(renewal.membership);
    out.set_expires_at_us(renewal.expires_at.us);
    return out.SerializeAsString();
}

base::Result<Renewal> decode_renewal(std::string_view bytes) {
    v1::Renewal in;
    if (base::Result<void> parsed = parse(in, bytes, renewal_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(renewal_bounds.message);
    checks.number("user_jwt's length", in.user_jwt().size(), 1, user_jwt_bytes_max);
    checks.text("user_jwt", in.user_jwt(), user_jwt_bytes_max);
    checks.text("membership", in.membership(), core::membership_bytes_max);
    checks.that(in.expires_at_us() >= 0, "expires_at_us", "0 or more");
    if (!checks.ok())
        return checks.error();
    return Renewal{std::move(*in.mutable_user_jwt()), std::move(*in.mutable_membership()),
                   base::WallTime{in.expires_at_us()}};
}

}  // namespace idlewatt::wire
