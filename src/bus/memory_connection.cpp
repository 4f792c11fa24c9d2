// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/memory_connection.hpp"

#include <utility>

#include "base/assert.hpp"
#include "bus/subject_tree.hpp"

namespace idlewatt::bus {

MemoryConnection::MemoryConnection(base::Loop& loop, std::shared_ptr<MemoryRouter> hub,
                                   std::uint64_t id, std::string name, std::string label)
    : hub_(std::move(hub)),
      id_(id),
      name_(std::move(name)),
      label_(std::move(label)),
      pending_(loop, "_INBOX_" + name_ + '.' + std::to_string(id)) {}

MemoryConnection::~MemoryConnection() {
    hub_->unsubscribe(pending_.pattern(), inbox_);
    for (const auto& [id, subscription] : subscriptions_) {
        hub_->unsubscribe(subscription.pattern, id);
    }
    hub_->close(*this);
}

void MemoryConnection::open(bool up) {
    link_up_ = up;
    connected_ = up;
    inbox_ = hub_->subscribe(id_, pending_.pattern());
}

void MemoryConnection::set_link(bool up) {
    link_up_ = up;
    ++epoch_;
}

void MemoryConnection::tell_state(bool up) {
    // A cut is always told, for requests have died; a return only if it still holds.
    if (connected_ == up || (up && !link_up_))
        return;
    connected_ = up;
    if (!up && !pending_.disconnected())
        return;
    const auto on_state = on_state_;
    if (on_state && *on_state)
        (*on_state)(up);
}

void MemoryConnection::deliver(const MemoryDelivery& delivery) {
    if (delivery.epoch != epoch_ || !link_up_)
        return;
    if (delivery.subscription == inbox_) {
        pending_.handle(*delivery.message, delivery.no_responders);
        return;
    }
    const auto found = subscriptions_.find(delivery.subscription);
    if (found == subscriptions_.end())
        return;
    const auto on_message = found->second.on_message;  // survives its own unsubscribe
    (*on_message)(*delivery.message);
}

void MemoryConnection::depart(std::uint64_t epoch, const Departure& departure) {
    if (epoch != epoch_ || !link_up_)
        return;
    const auto on_departure = on_departure_;
    if (on_departure && *on_departure)
        (*on_departure)(departure);
}

SubscriptionId MemoryConnection::subscribe(std::string_view subject, OnMessage on_message) {
    IDLEWATT_ASSERT(valid_pattern(subject));
    const std::uint64_t id = hub_->subscribe(id_, subject);
    auto shared = std::make_shared<OnMessage>(std::move(on_message));
    subscriptions_.emplace(id, Subscription{std::string(subject), std::move(shared)});
    return SubscriptionId{id};
}

void MemoryConnection::unsubscribe(SubscriptionId subscription) {
    const auto found = subscriptions_.find(static_cast<std::uint64_t>(subscription));
    if (found == subscriptions_.end())
        return;
    hub_->unsubscribe(found->second.pattern, found->first);
    subscriptions_.erase(found);
}

void MemoryConnection::send(std::string_view subject, std::string reply, std::string_view payload) {
    IDLEWATT_ASSERT(valid_subject(subject));
    IDLEWATT_ASSERT(payload.size() <= payload_bytes_max);
    if (!connected_ || !link_up_) {
        ++losses_.published_while_disconnected;
        return;
    }
    hub_->publish(*this, Message{std::string(subject), std::move(reply), std::string(payload)});
}

void MemoryConnection::publish(std::string_view subject, std::string_view payload) {
    send(subject, {}, payload);
}

void MemoryConnection::publish_or(std::string_view subject, std::string_view payload,
                                  std::function<void()> on_no_responders) {
    send(subject, pending_.expect_no_responders(std::move(on_no_responders)), payload);
}

void MemoryConnection::request(std::string_view subject, std::string_view payload,
                               base::Duration timeout, OnReply on_reply) {
    if (!connected_ || !link_up_) {
        pending_.refuse(std::move(on_reply));
        return;
    }
    send(subject, pending_.expect_reply(timeout, std::move(on_reply)), payload);
}

void MemoryConnection::reply(const Message& to, std::string_view payload) {
    // The reply subject comes from a stranger: a bad one is his loss.
    if (valid_subject(to.reply))
        send(to.reply, {}, payload);
}

void MemoryConnection::system_request(std::string_view subject, std::string_view payload,
                                      base::Duration timeout, OnReply on_reply) {
    IDLEWATT_ASSERT(valid_subject(subject));
    if (!connected_ || !link_up_) {
        pending_.refuse(std::move(on_reply));
        return;
    }
    hub_->ask_system(*this, pending_.expect_reply(timeout, std::move(on_reply)), subject, payload);
}

void MemoryConnection::on_state(OnState on_state) {
    on_state_ = std::make_shared<OnState>(std::move(on_state));
}

void MemoryConnection::on_departure(OnDeparture on_departure) {
    on_departure_ = std::make_shared<OnDeparture>(std::move(on_departure));
}

}  // namespace idlewatt::bus
