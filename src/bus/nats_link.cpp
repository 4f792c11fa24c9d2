// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_link.hpp"

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "base/assert.hpp"
#include "base/log.hpp"
#include "bus/chance.hpp"

namespace idlewatt::bus {

namespace {

using LinkClock = std::chrono::steady_clock;

base::Duration attempt_time(const NatsServerChoice& server) {
    return attempt_timeout * static_cast<std::int64_t>(server.addresses.size());
}

// Until a connection stands, or it is plain that none will; on the caller's thread.
NatsOpener::Opened open_first(const NatsLinkOptions& options, base::Prng prng) {
    const auto deadline = LinkClock::now() + std::chrono::nanoseconds(options.connect_timeout.ns);
    std::optional<base::Error> why;
    for (;;) {
        const base::Duration left{std::chrono::nanoseconds(deadline - LinkClock::now()).count()};
        auto opened =
            open_nats_session(options.server, std::max(left, base::milliseconds(1)), prng.next());
        if (opened || opened.error().kind == base::ErrorKind::bad_input ||
            opened.error().kind == base::ErrorKind::denied) {
            return opened;
        }
        // The last attempt's time may be too short to hear the reason once more.
        if (!why || left >= attempt_timeout)
            why = opened.error();
        const auto pause = std::chrono::nanoseconds(options.reconnect_delay.ns);
        if (LinkClock::now() + pause >= deadline)
            return tl::unexpected(*why);
        std::this_thread::sleep_for(pause);  // tidy: allow(sleep) no loop runs yet
    }
}

}  // namespace

base::Result<std::unique_ptr<NatsLink>> NatsLink::open(base::AsioLoop& loop, NatsListener& listener,
                                                       const NatsLinkOptions& options) {
    auto session = open_first(options, base::Prng(random_seed()));
    if (!session)
        return tl::unexpected(session.error());
    auto link = std::unique_ptr<NatsLink>(new NatsLink(loop, listener, options));
    link->adopt(std::move(*session));
    link->is_settled_ = true;
    return link;
}

NatsLink::NatsLink(base::AsioLoop& loop, NatsListener& listener, NatsLinkOptions options)
    : loop_(loop),
      listener_(listener),
      options_(std::move(options)),
      pace_(std::make_shared<ReconnectPace>(options_.reconnect_delay, random_seed())) {}

NatsLink::~NatsLink() {
    opener_.reset();
    if (connection_)
        connection_->close();
}

void NatsLink::subscribe(std::uint64_t id, std::string_view pattern) {
    wanted_.emplace(id, pattern);
    if (connection_)
        connection_->subscribe(id, pattern);
}

void NatsLink::unsubscribe(std::uint64_t id) {
    if (wanted_.erase(id) != 0 && connection_)
        connection_->unsubscribe(id);
}

void NatsLink::publish(std::string_view subject, std::string_view reply, std::string_view payload) {
    IDLEWATT_ASSERT(connection_ != nullptr);
    connection_->publish(subject, reply, payload);
}

void NatsLink::on_message(std::uint64_t subscription, Message& message, bool no_responders) {
    listener_.on_message(subscription, message, no_responders);
}

void NatsLink::on_pong() {
    if (!std::exchange(is_settled_, true))
        listener_.on_connected(true);
}

void NatsLink::on_lost() {
    connection_.reset();
    pace_->lost_after(loop_.now() - since_);
    // A renewal that is under way brings a connection, too.
    if (!opener_)
        reconnect();
    if (std::exchange(is_settled_, false))
        listener_.on_connected(false);
}

void NatsLink::adopt(NatsSession session) {
    since_ = loop_.now();
    is_settled_ = false;
    connection_ = NatsConnection::start(loop_, std::move(session), *this, losses_);
    for (const auto& [id, pattern] : wanted_)
        connection_->subscribe(id, pattern);
    connection_->ping();
}

void NatsLink::reconnect() {
    opener_ = std::make_unique<NatsOpener>(
        loop_,
        [server = options_.server, pace = pace_, prng = base::Prng(random_seed())](
            const NatsOpener::StopsWithin& stops_within) mutable -> NatsOpener::Opened {
            for (base::Duration pause = pace->first_pause(); !stops_within(pause);
                 pause = pace->pause()) {
                auto opened = open_nats_session(server, attempt_time(server), prng.next());
                pace->tried(!opened && opened.error().kind == base::ErrorKind::denied);
                if (opened)
                    return opened;
                if (pace->tells_denial()) {
                    base::log_warning("bus",
                                      "the server refuses these credentials: they have ended or "
                                      "were revoked; going on to try, but seldom");
                }
            }
            return base::fail(base::ErrorKind::unavailable, "told to stop");
        },
        [this](NatsOpener::Opened opened) {
            opener_.reset();
            IDLEWATT_ASSERT(opened.has_value());
            base::log_info("bus", "connected again");
            adopt(std::move(*opened));
            if (renews_again_)
                renew();
        });
}

void NatsLink::reauthenticate() {
    // What is being opened may have read the file already.
    if (opener_) {
        renews_again_ = true;
    } else {
        renew();
    }
}

void NatsLink::renew() {
    renews_again_ = false;
    opener_ = std::make_unique<NatsOpener>(
        loop_,
        [server = options_.server](const NatsOpener::StopsWithin&) {
            return open_nats_session(server, attempt_time(server), 0);
        },
        [this](NatsOpener::Opened opened) { renewed(std::move(opened)); });
}

// The old connection has stayed until the server took the new credentials.
void NatsLink::renewed(NatsOpener::Opened opened) {
    opener_.reset();
    const bool was_settled = is_settled_;
    if (opened) {
        base::log_info("bus", "connected with new credentials");
        if (connection_)
            connection_->retire();
        adopt(std::move(*opened));
    } else {
        base::log_warning("bus", "the new credentials are not taken (" + opened.error().message +
                                     "); staying with the old");
    }
    if (!connection_) {
        reconnect();
    } else if (renews_again_) {
        renew();
    }
    if (opened && was_settled)
        listener_.on_connected(false);
}

}  // namespace idlewatt::bus
