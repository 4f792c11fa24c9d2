// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One connection to a NATS server, from the server's greeting to its first failure: what it says is
// told to its owner, what is published goes out with all else that this turn of the loop has to
// say, in one piece. Internal to the module.
//
// Lifecycle: made by start(); lives until close() or its loss, after which nothing is told any
// more. The owner lives until then and may call close() from within everything that it is told.
// Threads: the loop's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/asio_loop.hpp"
#include "bus/bus.hpp"
#include "bus/nats_handshake.hpp"
#include "bus/patience.hpp"

namespace idlewatt::bus {

// A mute server is noticed between two and three of these; a dead one closes its socket at once.
inline constexpr base::Duration ping_interval = base::seconds(2);
inline constexpr int pings_out_max = 2;
// The connection has ended when a server takes nothing for this long.
inline constexpr base::Duration write_deadline = base::seconds(2);
// What waits for the server; above it, publications are dropped and counted.
inline constexpr std::size_t outbound_bytes_max = 64 * 1024 * 1024;
// Messages told before other tasks of the loop get their turn.
inline constexpr int inbound_batch = 128;

class NatsConnectionOwner {
public:
    virtual ~NatsConnectionOwner() = default;
    // The message is the owner's to change until it returns.
    virtual void on_message(std::uint64_t subscription, Message& message, bool no_responders) = 0;
    // The server has handled everything that was said before the ping.
    virtual void on_pong() = 0;
    virtual void on_lost() = 0;
};

class NatsConnection final : public std::enable_shared_from_this<NatsConnection> {
public:
    [[nodiscard]] static std::shared_ptr<NatsConnection> start(base::AsioLoop& loop,
                                                               NatsSession session,
                                                               NatsConnectionOwner& owner,
                                                               Losses& losses);
    ~NatsConnection();
    NatsConnection(const NatsConnection&) = delete;
    NatsConnection& operator=(const NatsConnection&) = delete;

    void subscribe(std::uint64_t id, std::string_view pattern);
    void unsubscribe(std::uint64_t id);
    void publish(std::string_view subject, std::string_view reply, std::string_view payload);
    void ping();
    // Sends what was published and ends; waits for that until close_wait at most.
    void close();
    // Ends, with what was published as far as it can be sent at once; the socket goes after
    // close_wait, when the server has read it.
    void retire();

private:
    NatsConnection(base::AsioLoop& loop, NatsSession session, NatsConnectionOwner& owner,
                   Losses& losses);

    void read();
    void read_soon();
    void input_ended();
    void await_input();
    void handle_input();
    [[nodiscard]] bool handle(const NatsWord& word);  // false: it was a message
    void handle_error(std::string_view text);
    void write_soon();
    void write();
    void await_output();
    void tick();
    [[nodiscard]] bool is_blocked() const { return blocked_since_.has_value(); }
    void lose(const std::string& why);
    void stop();

    base::AsioLoop& loop_;
    NatsSession session_;
    boost::asio::posix::stream_descriptor waiter_;  // waits for the socket, which it does not own
    NatsConnectionOwner* owner_;                    // null: ended
    Losses* losses_;                                // the owner's
    Message message_;                               // its strings keep their room
    std::string out_;                               // to be sent from sent_ on
    std::size_t sent_ = 0;
    std::uint64_t unsent_publications_ = 0;  // at most: of those in out_
    bool write_posted_ = false;
    int pings_out_ = 0;
    base::TimerId ping_timer_{};
    std::optional<base::Instant> blocked_since_;  // the socket has no room
};

}  // namespace idlewatt::bus
