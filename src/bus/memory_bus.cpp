// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The hub plays the server: it matches subjects at the moment of publishing and lets each delivery
// travel by itself. A connection's epoch changes when it is cut off, so what was on its way then
// arrives nowhere. All choices come from one generator, in the order of the calls.
#include "bus/memory_bus.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "base/assert.hpp"
#include "base/prng.hpp"
#include "bus/memory_connection.hpp"
#include "bus/subject_tree.hpp"

namespace idlewatt::bus {

// In order per sender and receiver: each arrival takes the oldest delivery, so the order does not
// depend on how a loop treats timers of the same moment.
struct Channel {
    std::deque<MemoryDelivery> travelling;
    base::Instant last_arrival;
};

struct MemoryHub::Implementation final : MemoryRouter,
                                         std::enable_shared_from_this<Implementation> {
    using ChannelKey = std::pair<std::uint64_t, std::uint64_t>;  // sender, receiver

    Implementation(base::Loop& l, std::uint64_t seed) : loop(l), prng(seed) {}

    base::Loop& loop;
    base::Prng prng;
    Weather weather;
    SystemResponder system_responder;
    bool server_up = true;
    std::set<std::string> partitioned;
    std::uint64_t next_connection = 1;
    std::uint64_t next_subscription = 1;
    std::map<std::uint64_t, MemoryConnection*> connections;
    SubjectTree tree;
    std::map<std::uint64_t, std::uint64_t> receivers;  // subscription, connection
    std::map<ChannelKey, Channel> channels;

    [[nodiscard]] bool reachable(const MemoryConnection& connection) const {
        return server_up && !partitioned.contains(connection.name());
    }

    base::Duration latency() {
        const base::Duration spread = weather.latency_max - weather.latency_min;
        if (spread.ns <= 0)
            return weather.latency_min;
        const auto extra = prng.below(static_cast<std::uint64_t>(spread.ns) + 1);
        return weather.latency_min + base::Duration{static_cast<std::int64_t>(extra)};
    }

    std::uint64_t subscribe(std::uint64_t connection, std::string_view pattern) override {
        const std::uint64_t id = next_subscription++;
        tree.insert(pattern, id);
        receivers.emplace(id, connection);
        return id;
    }

    void unsubscribe(std::string_view pattern, std::uint64_t subscription) override {
        tree.remove(pattern, subscription);
        receivers.erase(subscription);
    }

    void publish(MemoryConnection& sender, Message message) override {
        const std::string inbox = message.reply;
        message.reply = PendingReplies::visible_reply(inbox);
        const auto shared = std::make_shared<const Message>(std::move(message));
        bool heard = false;
        for (const std::uint64_t subscription : tree.find(shared->subject)) {
            const MemoryConnection& receiver = *connections.at(receivers.at(subscription));
            if (!reachable(receiver))
                continue;
            heard = true;
            send(sender.id(), receiver, {subscription, shared, false});
        }
        if (heard || inbox.empty())
            return;
        answer_inbox(sender, inbox, {}, true);
    }

    // The server's own answer goes to the inbox of whoever asked.
    void answer_inbox(MemoryConnection& asker, const std::string& inbox, std::string payload,
                      bool no_responders) {
        auto answer = std::make_shared<Message>();
        answer->subject = inbox;
        answer->payload = std::move(payload);
        for (const std::uint64_t subscription : tree.find(inbox)) {
            if (receivers.at(subscription) != asker.id())
                continue;
            send(asker.id(), asker, {subscription, answer, no_responders});
        }
    }

    void ask_system(MemoryConnection& sender, std::string inbox, std::string_view subject,
                    std::string_view payload) override {
        auto answer = system_responder ? system_responder(subject, payload) : std::nullopt;
        answer_inbox(sender, inbox, answer.value_or(""), !answer);
    }

    void send(std::uint64_t sender, const MemoryConnection& receiver, MemoryDelivery delivery) {
        delivery.epoch = receiver.epoch();
        if (weather.loss > 0 && prng.chance(weather.loss))
            return;
        const bool twice = weather.duplication > 0 && prng.chance(weather.duplication);
        if (twice)
            travel(sender, receiver.id(), delivery);
        travel(sender, receiver.id(), std::move(delivery));
    }

    void travel(std::uint64_t sender, std::uint64_t receiver, MemoryDelivery delivery) {
        const base::Instant now = loop.now();
        base::Instant arrival = now + latency();
        const std::weak_ptr<Implementation> weak = weak_from_this();
        if (weather.reorder) {
            loop.after(arrival - now, [weak, receiver, delivery = std::move(delivery)] {
                if (const auto hub = weak.lock())
                    hub->arrive(receiver, delivery);
            });
            return;
        }
        Channel& channel = channels[{sender, receiver}];
        arrival = std::max(arrival, channel.last_arrival);
        channel.last_arrival = arrival;
        channel.travelling.push_back(std::move(delivery));
        loop.after(arrival - now, [weak, key = ChannelKey{sender, receiver}] {
            if (const auto hub = weak.lock())
                hub->arrive_next(key);
        });
    }

    void arrive_next(const ChannelKey& key) {
        const auto channel = channels.find(key);
        if (channel == channels.end())
            return;
        const MemoryDelivery delivery = std::move(channel->second.travelling.front());
        channel->second.travelling.pop_front();
        if (channel->second.travelling.empty())
            channels.erase(channel);
        arrive(key.second, delivery);
    }

    void arrive(std::uint64_t receiver, const MemoryDelivery& delivery) {
        const auto connection = connections.find(receiver);
        if (connection != connections.end())
            connection->second->deliver(delivery);
    }

    void tell_departure(const MemoryConnection& gone) {
        const Departure departure{gone.name(), gone.label()};
        const std::weak_ptr<Implementation> weak = weak_from_this();
        for (const auto& [id, connection] : connections) {
            if (id == gone.id() || !reachable(*connection))
                continue;
            loop.after(latency(), [weak, id = id, epoch = connection->epoch(), departure] {
                const auto hub = weak.lock();
                if (!hub)
                    return;
                const auto listener = hub->connections.find(id);
                if (listener != hub->connections.end()) {
                    listener->second->depart(epoch, departure);
                }
            });
        }
    }

    void close(MemoryConnection& connection) override {
        const bool was_reachable = reachable(connection);
        connections.erase(connection.id());
        if (was_reachable)
            tell_departure(connection);
    }

    void renew(MemoryConnection& connection) override {
        if (!connection.link_up())
            return;
        change_link(connection, false);
        tell_departure(connection);
        change_link(connection, true);
    }

    // Brings every connection's state in line with the hub's.
    void refresh() {
        for (const auto& [id, connection] : connections) {
            const bool up = reachable(*connection);
            if (connection->link_up() != up)
                change_link(*connection, up);
        }
    }

    void change_link(MemoryConnection& connection, bool up) {
        connection.set_link(up);
        const std::weak_ptr<Implementation> weak = weak_from_this();
        const auto tell = [weak, id = connection.id(), up] {
            const auto hub = weak.lock();
            if (!hub)
                return;
            const auto found = hub->connections.find(id);
            if (found != hub->connections.end())
                found->second->tell_state(up);
        };
        if (up) {
            loop.after(latency(), tell);
        } else {
            loop.post(tell);
        }
    }
};

MemoryHub::MemoryHub(base::Loop& loop, std::uint64_t seed)
    : impl_(std::make_shared<Implementation>(loop, seed)) {}

MemoryHub::~MemoryHub() {
    IDLEWATT_ASSERT(impl_->connections.empty());
}

std::unique_ptr<Bus> MemoryHub::connect(std::string name, std::string label) {
    IDLEWATT_ASSERT(valid_subject(name) && name.find('.') == std::string::npos);
    const std::uint64_t id = impl_->next_connection++;
    auto connection = std::make_unique<MemoryConnection>(impl_->loop, impl_, id, std::move(name),
                                                         std::move(label));
    impl_->connections.emplace(id, connection.get());
    connection->open(impl_->reachable(*connection));
    return connection;
}

void MemoryHub::set_weather(const Weather& weather) {
    impl_->weather = weather;
}

void MemoryHub::partition(const std::string& name) {
    if (!impl_->partitioned.insert(name).second)
        return;
    impl_->refresh();
    if (!impl_->server_up)
        return;
    for (const auto& [id, connection] : impl_->connections) {
        if (connection->name() == name)
            impl_->tell_departure(*connection);
    }
}

void MemoryHub::heal(const std::string& name) {
    impl_->partitioned.erase(name);
    impl_->refresh();
}

void MemoryHub::set_system_responder(SystemResponder responder) {
    impl_->system_responder = std::move(responder);
}

void MemoryHub::set_server_up(bool up) {
    impl_->server_up = up;
    impl_->refresh();
}

}  // namespace idlewatt::bus
