// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/delivery_book.hpp"

#include <algorithm>

#include "base/fault_point.hpp"
#include "base/log.hpp"

namespace idlewatt::gateway {

namespace {

constexpr std::string_view prefix = "delivery/";
constexpr std::string_view refused_prefix = "refused/";
// In the spool: 64 bytes of signature, then the payload.
constexpr std::size_t signature_bytes = 64;

std::string key_of(const core::DeliveryId& id) {
    return std::string(prefix) + id.value;
}

void report(const base::Result<void>& result) {
    if (!result)
        base::log_error("deliveries", result.error().message);
}

}  // namespace

DeliveryBook::DeliveryBook(base::Loop& loop, bus::Bus& bus, spool::Spool& spool,
                           const identity::KeyPair& key, wire::Subjects subjects,
                           core::GatewayId gateway, std::string user_jwt)
    : loop_(loop),
      bus_(bus),
      spool_(spool),
      key_(key),
      subjects_(std::move(subjects)),
      gateway_(std::move(gateway)),
      user_jwt_(std::move(user_jwt)) {
    recover();
}

DeliveryBook::~DeliveryBook() {
    *alive_ = false;
    if (timer_set_)
        loop_.cancel(timer_);
    if (unsynced_)
        report(spool_.sync());
}

void DeliveryBook::recover() {
    for (const spool::Record& record : spool_.records()) {
        if (record.key.starts_with(prefix) && record.value.size() > signature_bytes) {
            outbox_.push_back({core::DeliveryId(record.key.substr(prefix.size())),
                               record.value.substr(signature_bytes),
                               record.value.substr(0, signature_bytes)});
        }
    }
    if (!outbox_.empty())
        deliver_after(delivery_gather);
}

void DeliveryBook::add(const core::Delivery& delivery) {
    if (outbox_.size() >= deliveries_kept_max) {
        if (lost_++ == 0)
            base::log_error("deliveries", "too many wait for the coordinator; new ones are lost");
        return;
    }
    core::SignedDelivery made{delivery.id, wire::encode(delivery), {}};
    made.signature = key_.sign(made.payload);
    // If the disk refuses, the record lives in memory until it is delivered.
    report(spool_.put(key_of(made.id), made.signature + made.payload));
    unsynced_ = true;
    if (!base::fault_point("gateway.lose_delivery"))
        outbox_.push_back(std::move(made));
    deliver_after(delivery_gather);
}

void DeliveryBook::deliver_now() {
    retry_ = delivery_retry_first;
    deliver();
}

void DeliveryBook::deliver_after(base::Duration delay) {
    if (timer_set_ || asking_)
        return;
    timer_set_ = true;
    timer_ = loop_.after(delay, [this] {
        timer_set_ = false;
        deliver();
    });
}

void DeliveryBook::deliver() {
    if (unsynced_) {
        unsynced_ = false;
        report(spool_.sync());
    }
    if (asking_ || outbox_.empty())
        return;
    const std::size_t count = std::min(outbox_.size(), wire::deliveries_per_batch_max);
    wire::DeliveryBatch batch;
    batch.user_jwt = user_jwt_;
    batch.deliveries.assign(outbox_.begin(), outbox_.begin() + static_cast<long>(count));
    asking_ = true;
    bus_.request(subjects_.deliveries(gateway_), wire::encode(batch), delivery_answer_timeout,
                 [this, alive = alive_](bus::ReplyStatus status, const bus::Message& message) {
                     if (!*alive)
                         return;
                     asking_ = false;
                     auto answer = status == bus::ReplyStatus::answered
                                       ? wire::decode_deliveries_answer(message.payload)
                                       : base::fail(base::ErrorKind::unavailable, "no answer");
                     // An answer that settles nothing would be asked for again at once.
                     const bool settled =
                         answer && !(answer->committed.empty() && answer->refused.empty());
                     if (settled) {
                         retry_ = delivery_retry_first;
                         take_answer(*answer);
                         if (!outbox_.empty())
                             deliver_after(delivery_gather);
                     } else {
                         deliver_after(retry_);
                         retry_ = std::min(retry_ * 2, delivery_retry_max);
                     }
                 });
}

void DeliveryBook::take_answer(const wire::DeliveriesAnswer& answer) {
    for (const core::DeliveryId& id : answer.committed)
        drop(id);
    for (const core::DeliveryId& id : answer.refused) {
        base::log_error("deliveries", "the coordinator refuses record " + id.value +
                                          "; are this gateway's credentials of this cell? It is "
                                          "kept aside in the spool");
        set_aside(id);
    }
}

// Refused for good: not sent again, and not thrown away, since somebody has been served.
void DeliveryBook::set_aside(const core::DeliveryId& id) {
    const auto found = std::ranges::find(outbox_, id, &core::SignedDelivery::id);
    if (found == outbox_.end())
        return;
    const auto kept =
        spool_.put(std::string(refused_prefix) + id.value, found->signature + found->payload);
    report(kept);
    if (kept)
        drop(id);
}

void DeliveryBook::drop(const core::DeliveryId& id) {
    const auto found = std::ranges::find(outbox_, id, &core::SignedDelivery::id);
    if (found == outbox_.end())
        return;
    outbox_.erase(found);
    report(spool_.erase(key_of(id)));
    unsynced_ = true;
}

}  // namespace idlewatt::gateway
