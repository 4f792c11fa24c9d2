// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Keeps a connection to a NATS server: opens a new one, subscriptions included, whenever the last
// one has ended, or when there are new credentials. Internal to the module.
//
// Lifecycle: open() waits until the first connection stands; destruction sends what was published
// and closes, in close_wait at most for either. Threads: the loop's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/asio_loop.hpp"
#include "base/result.hpp"
#include "bus/nats_connection.hpp"
#include "bus/nats_opener.hpp"
#include "bus/reconnect_pace.hpp"

namespace idlewatt::bus {

inline constexpr base::Duration attempt_timeout = base::seconds(1);  // for each address

struct NatsLinkOptions {
    NatsServerChoice server;
    base::Duration reconnect_delay;
    base::Duration connect_timeout;
};

// On the loop. May end in the destruction of the link.
class NatsListener {
public:
    virtual ~NatsListener() = default;
    // The message is the listener's to change until it returns.
    virtual void on_message(std::uint64_t subscription, Message& message, bool no_responders) = 0;
    // At every change after the first connection.
    virtual void on_connected(bool connected) = 0;
};

class NatsLink final : NatsConnectionOwner {
public:
    // The listener outlives the link.
    [[nodiscard]] static base::Result<std::unique_ptr<NatsLink>> open(
        base::AsioLoop& loop, NatsListener& listener, const NatsLinkOptions& options);
    ~NatsLink() override;
    NatsLink(const NatsLink&) = delete;
    NatsLink& operator=(const NatsLink&) = delete;

    void subscribe(std::uint64_t id, std::string_view pattern);
    void unsubscribe(std::uint64_t id);
    // A new connection with what the credentials file holds now, then the end of the old one.
    void reauthenticate();
    // Only while connected.
    void publish(std::string_view subject, std::string_view reply, std::string_view payload);

    [[nodiscard]] const Losses& losses() const { return losses_; }

private:
    NatsLink(base::AsioLoop& loop, NatsListener& listener, NatsLinkOptions options);

    void on_message(std::uint64_t subscription, Message& message, bool no_responders) override;
    void on_pong() override;
    void on_lost() override;

    void adopt(NatsSession session);
    void reconnect();
    void renew();
    void renewed(NatsOpener::Opened opened);

    base::AsioLoop& loop_;
    NatsListener& listener_;
    const NatsLinkOptions options_;
    Losses losses_;
    std::map<std::uint64_t, std::string> wanted_;
    std::shared_ptr<NatsConnection> connection_;  // none while one is opened
    bool is_settled_ = true;                      // its subscriptions stand at the server
    bool renews_again_ = false;            // other credentials came while a renewal was under way
    base::Instant since_;                  // of the connection
    std::shared_ptr<ReconnectPace> pace_;  // the opener's while there is one
    std::unique_ptr<NatsOpener> opener_;
};

}  // namespace idlewatt::bus
