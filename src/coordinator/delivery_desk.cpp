// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/delivery_desk.hpp"

#include <utility>

#include "base/log.hpp"
#include "identity/identity.hpp"
#include "identity/user_claims.hpp"

namespace idlewatt::coordinator {

namespace {

// Checking a signature takes some 50 µs: a few at a time, so that the loop is never held up.
constexpr std::size_t checks_per_task = 16;

// The record, if it is what its gateway signed.
std::optional<core::Delivery> checked(const core::SignedDelivery& record,
                                      const core::GatewayId& gateway,
                                      const std::string& public_key) {
    const auto delivery = wire::decode_delivery(record.payload);
    if (!delivery || delivery->id != record.id || delivery->gateway != gateway)
        return std::nullopt;
    if (!identity::verify(public_key, record.payload, record.signature))
        return std::nullopt;
    return *delivery;
}

}  // namespace

struct DeliveryDesk::Batch {
    bus::Message request;  // without its payload: where to answer
    core::GatewayId gateway;
    std::string public_key;
    std::vector<core::SignedDelivery> records;
    std::size_t next = 0;  // to be checked
    std::vector<store::StoredDelivery> good{};
    wire::DeliveriesAnswer told{};
};

const core::GatewayId& DeliveryDesk::batch_gateway(const Batch& batch) {
    return batch.gateway;
}

DeliveryDesk::DeliveryDesk(base::Loop& loop, bus::Bus& bus, store::Store& store,
                           const std::string& cell, std::string account_public_key)
    : loop_(loop),
      bus_(bus),
      store_(store),
      account_public_key_(std::move(account_public_key)),
      subscription_(bus_.subscribe(wire::Subjects{cell}.all_deliveries(),
                                   [this](const bus::Message& message) { on_message(message); })) {}

DeliveryDesk::~DeliveryDesk() {
    bus_.unsubscribe(subscription_);
}

void DeliveryDesk::on_message(const bus::Message& message) {
    const auto not_taken = [this](const std::string& why) {
        ++counts_.batches_not_taken;
        if (!why.empty())
            base::log_warning("coordinator", "delivery records not taken: " + why);
    };
    const auto gateway = wire::parse_gateway(message.subject);
    if (!gateway || message.reply.empty() || busy_.size() >= delivery_batches_max ||
        busy_.contains(*gateway))
        return not_taken({});
    auto batch = wire::decode_delivery_batch(message.payload);
    if (!batch)
        return not_taken("gateway " + gateway->value + ": " + batch.error().message);
    const auto claims =
        identity::verify_user_jwt(batch->user_jwt, account_public_key_, loop_.wall_now());
    if (!claims)
        return not_taken("gateway " + gateway->value + ": " + claims.error().message);
    // The server has checked the subject; this ties the key to it.
    const bool its_own = claims->name == wire::bus_name(*gateway) || claims->name == gateway->value;
    if (!its_own || !claims->has_tag(identity::gateway_tag))
        return not_taken("gateway " + gateway->value + " shows the JWT of '" + claims->name + "'");
    ++counts_.batches;
    busy_.insert(*gateway);
    check_some(std::make_shared<Batch>(Batch{{message.subject, message.reply, {}},
                                             *gateway,
                                             claims->public_key,
                                             std::move(batch->deliveries)}));
}

void DeliveryDesk::check_some(const std::shared_ptr<Batch>& batch) {
    loop_.post([this, alive = std::weak_ptr(alive_), batch] {
        if (alive.expired())
            return;
        for (std::size_t n = 0; n < checks_per_task && batch->next < batch->records.size(); ++n) {
            core::SignedDelivery& record = batch->records[batch->next++];
            auto delivery = checked(record, batch->gateway, batch->public_key);
            if (delivery)
                batch->good.push_back({std::move(*delivery), std::move(record)});
            else
                batch->told.refused.push_back(record.id);
        }
        if (batch->next < batch->records.size())
            check_some(batch);
        else
            commit(batch);
    });
}

void DeliveryDesk::commit(const std::shared_ptr<Batch>& batch) {
    if (!batch->told.refused.empty()) {
        base::log_warning("coordinator", "refused " + std::to_string(batch->told.refused.size()) +
                                             " delivery records of gateway " +
                                             batch->gateway.value +
                                             ": not readable or not signed with its key");
    }
    for (const store::StoredDelivery& one : batch->good)
        batch->told.committed.push_back(one.delivery.id);
    if (batch->good.empty())
        return answer(*batch);
    store_.add_deliveries(std::move(batch->good), [this, alive = std::weak_ptr(alive_),
                                                   batch](const base::Result<std::size_t>& added) {
        if (alive.expired())
            return;
        if (added)
            return answer(*batch);
        base::log_error("coordinator", added.error().message);
        close(*batch);
    });
}

void DeliveryDesk::answer(const Batch& batch) {
    counts_.committed += batch.told.committed.size();
    counts_.refused += batch.told.refused.size();
    bus_.reply(batch.request, wire::encode(batch.told));
    close(batch);
}

}  // namespace idlewatt::coordinator
