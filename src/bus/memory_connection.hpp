// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One connection of the in-memory bus, and what it needs of the hub. Internal to the module.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/loop.hpp"
#include "bus/bus.hpp"
#include "bus/pending_replies.hpp"

namespace idlewatt::bus {

class MemoryConnection;

struct MemoryDelivery {
    std::uint64_t subscription = 0;
    std::shared_ptr<const Message> message;
    bool no_responders = false;
    std::uint64_t epoch = 0;  // of the receiver when it was sent
};

class MemoryRouter {
public:
    virtual ~MemoryRouter() = default;

    virtual std::uint64_t subscribe(std::uint64_t connection, std::string_view pattern) = 0;
    virtual void unsubscribe(std::string_view pattern, std::uint64_t subscription) = 0;
    virtual void publish(MemoryConnection& sender, Message message) = 0;
    // Lets the server itself answer into the sender's inbox.
    virtual void ask_system(MemoryConnection& sender, std::string inbox, std::string_view subject,
                            std::string_view payload) = 0;
    // Cuts the connection off and lets it return.
    virtual void renew(MemoryConnection& connection) = 0;
    // Called by the connection's destructor.
    virtual void close(MemoryConnection& connection) = 0;
};

class MemoryConnection final : public Bus {
public:
    MemoryConnection(base::Loop& loop, std::shared_ptr<MemoryRouter> hub, std::uint64_t id,
                     std::string name, std::string label);
    ~MemoryConnection() override;

    [[nodiscard]] std::uint64_t id() const { return id_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::string& label() const { return label_; }
    [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
    [[nodiscard]] bool link_up() const { return link_up_; }

    // The hub's side. The link changes at once, the owner hears of it in a later task.
    void open(bool up);
    void set_link(bool up);
    void tell_state(bool up);
    void deliver(const MemoryDelivery& delivery);
    void depart(std::uint64_t epoch, const Departure& departure);

    SubscriptionId subscribe(std::string_view subject, OnMessage on_message) override;
    void unsubscribe(SubscriptionId subscription) override;
    void publish(std::string_view subject, std::string_view payload) override;
    void publish_or(std::string_view subject, std::string_view payload,
                    std::function<void()> on_no_responders) override;
    void request(std::string_view subject, std::string_view payload, base::Duration timeout,
                 OnReply on_reply) override;
    void reply(const Message& to, std::string_view payload) override;
    void system_request(std::string_view subject, std::string_view payload, base::Duration timeout,
                        OnReply on_reply) override;
    void reauthenticate() override { hub_->renew(*this); }
    [[nodiscard]] bool connected() const override { return connected_; }
    void on_state(OnState on_state) override;
    void on_departure(OnDeparture on_departure) override;
    [[nodiscard]] Losses losses() const override { return losses_; }

private:
    struct Subscription {
        std::string pattern;
        std::shared_ptr<OnMessage> on_message;
    };

    void send(std::string_view subject, std::string reply, std::string_view payload);

    std::shared_ptr<MemoryRouter> hub_;
    std::uint64_t id_;
    std::string name_;
    std::string label_;
    std::uint64_t epoch_ = 0;
    bool link_up_ = false;
    bool connected_ = false;
    Losses losses_;
    std::map<std::uint64_t, Subscription> subscriptions_;
    std::uint64_t inbox_ = 0;
    std::shared_ptr<OnState> on_state_;
    std::shared_ptr<OnDeparture> on_departure_;
    PendingReplies pending_;
};

}  // namespace idlewatt::bus
