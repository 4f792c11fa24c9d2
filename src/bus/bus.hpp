// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Messages between the roles of a cell: subjects, at-most-once delivery, no memory. Hides NATS.
// Whoever needs more than "perhaps" builds it on top (core/stream.hpp).
//
// A loop that stands still for some seconds loses its connection: the server does not wait for who
// does not answer. It is opened anew, as after any loss.
//
// Lifecycle: open with nats_bus.hpp or memory_bus.hpp; destroying it closes the connection, after
// which no callback runs. Threads: everything belongs to the loop given at opening.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace idlewatt::bus {

// One NATS message holds 1 MiB by default; ours stay far below.
inline constexpr std::size_t payload_bytes_max = 1024 * 1024;

struct Message {
    std::string subject;
    std::string reply;  // empty: no answer wanted
    std::string payload;
};

enum class SubscriptionId : std::uint64_t {};

enum class ReplyStatus {
    answered,
    no_responders,  // nobody is subscribed: known within a millisecond
    timed_out,
    disconnected,
};

// A connection of the same cell has ended, as the server saw it. Trustworthy: the name comes from
// the credentials. The label is what the connection called itself when it was opened.
struct Departure {
    std::string name;   // of the user, from its JWT: a vehicle id, say
    std::string label;  // "<name>/<incarnation>" for agents
};

// What was lost without a word to the caller, since the connection was opened.
struct Losses {
    std::uint64_t published_while_disconnected = 0;  // or on its way when the connection ended
    std::uint64_t published_too_fast = 0;            // the bounded way to the server was full
    std::uint64_t denied = 0;  // publications and subscriptions, by the credentials
};

class Bus {
public:
    using OnMessage = std::function<void(const Message&)>;
    using OnReply = std::function<void(ReplyStatus, const Message&)>;
    using OnState = std::function<void(bool connected)>;
    using OnDeparture = std::function<void(const Departure&)>;

    virtual ~Bus() = default;

    // Subject with NATS wildcards: * one token, > the rest. Survives reconnects. The callback may
    // unsubscribe itself.
    virtual SubscriptionId subscribe(std::string_view subject, OnMessage on_message) = 0;
    virtual void unsubscribe(SubscriptionId subscription) = 0;

    // At most once, in order per sender and subject. Dropped while disconnected and dropped by the
    // server if the credentials forbid the subject (counted, logged). The payload is at most
    // payload_bytes_max. Nothing waits in a buffer for a reconnect: late messages would mislead.
    virtual void publish(std::string_view subject, std::string_view payload) = 0;

    // Publishes and reports, at most once, that nobody is subscribed. Silence means nothing. The
    // receivers see no reply subject.
    virtual void publish_or(std::string_view subject, std::string_view payload,
                            std::function<void()> on_no_responders) = 0;

    // Exactly one callback, within the timeout.
    virtual void request(std::string_view subject, std::string_view payload, base::Duration timeout,
                         OnReply on_reply) = 0;

    // Answers a message that has a reply subject.
    virtual void reply(const Message& to, std::string_view payload) = 0;

    // To the server itself, on the connection with the system credentials: $SYS.REQ.CLAIMS.UPDATE,
    // say. Exactly one callback, within the timeout; `disconnected` also without such credentials.
    virtual void system_request(std::string_view subject, std::string_view payload,
                                base::Duration timeout, OnReply on_reply) = 0;

    // Takes the credentials from their files anew and replaces the connections: for a renewal,
    // before the old ones end. Costs what a lost connection costs (on_state false, true; a
    // departure; requests under way end with `disconnected`). Credentials that the server refuses
    // cost nothing: the old connection stays, the refusal is logged.
    virtual void reauthenticate() = 0;

    [[nodiscard]] virtual bool connected() const = 0;
    // Called at every change from now on.
    virtual void on_state(OnState on_state) = 0;
    // Called for each connection of the cell that ends. Needs system credentials on NATS; without
    // them never called.
    virtual void on_departure(OnDeparture on_departure) = 0;

    [[nodiscard]] virtual Losses losses() const = 0;
};

}  // namespace idlewatt::bus
