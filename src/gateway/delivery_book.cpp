// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/delivery_book.hpp"

#include "base/fault_point.hpp"
#include "base/log.hpp"

namespace idlewatt::gateway {

namespace {

spool::OutboxOptions outbox_options() {
    spool::OutboxOptions options;
    options.prefix = "delivery/";
    options.log_area = "deliveries";
    options.if_refused = "are this gateway's credentials of this cell?";
    options.batch_max = wire::deliveries_per_batch_max;
    options.gather = delivery_gather;
    return options;
}

std::vector<std::string> texts(const std::vector<core::DeliveryId>& ids) {
    std::vector<std::string> values;
    for (const core::DeliveryId& id : ids)
        values.push_back(id.value);
    return values;
}

}  // namespace

DeliveryBook::DeliveryBook(base::Loop& loop, bus::Bus& bus, spool::Spool& spool,
                           const identity::KeyPair& key, wire::Subjects subjects,
                           core::GatewayId gateway, std::string user_jwt)
    : bus_(bus),
      key_(key),
      subjects_(std::move(subjects)),
      gateway_(std::move(gateway)),
      user_jwt_(std::move(user_jwt)),
      outbox_(loop, spool, outbox_options(),
              [this](const std::vector<spool::Parcel>& batch, const spool::Outbox::Answer& answer) {
                  send(batch, answer);
              }) {}

void DeliveryBook::add(const core::Delivery& delivery) {
    if (outbox_.size() >= deliveries_kept_max) {
        if (lost_++ == 0)
            base::log_error("deliveries", "too many wait for the coordinator; new ones are lost");
        return;
    }
    spool::Parcel made{delivery.id.value, wire::encode(delivery), {}};
    made.signature = key_.sign(made.payload);
    if (!base::fault_point("gateway.lose_delivery"))
        outbox_.add(std::move(made));
}

void DeliveryBook::send(const std::vector<spool::Parcel>& batch,
                        const spool::Outbox::Answer& answer) {
    wire::DeliveryBatch deliveries;
    deliveries.user_jwt = user_jwt_;
    for (const spool::Parcel& parcel : batch) {
        deliveries.deliveries.push_back(
            {core::DeliveryId(parcel.id), parcel.payload, parcel.signature});
    }
    bus_.request(subjects_.deliveries(gateway_), wire::encode(deliveries), delivery_answer_timeout,
                 [answer](bus::ReplyStatus status, const bus::Message& message) {
                     if (status != bus::ReplyStatus::answered)
                         return answer(std::nullopt);
                     const auto said = wire::decode_deliveries_answer(message.payload);
                     if (!said)
                         return answer(std::nullopt);
                     answer(spool::Settlement{texts(said->committed), texts(said->refused)});
                 });
}

}  // namespace idlewatt::gateway
