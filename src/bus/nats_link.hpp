// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Keeps a NATS connection alive: a worker thread makes all calls into libnats, so that the loop
// never waits for a socket, and opens a new connection, subscriptions included, whenever the last
// one has ended. Internal to the module.
//
// Lifecycle: open() blocks until the first connection stands; destruction sends what was published
// and closes. It waits for that for close_wait at most; what takes longer (an attempt to reconnect,
// a server that hangs) ends by itself in the background. Threads: the loop's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "base/result.hpp"
#include "bus/nats_client.hpp"
#include "bus/nats_inbound.hpp"

namespace idlewatt::bus {

// On the way to the worker; above either, publications are dropped and counted.
inline constexpr std::size_t outbound_messages_max = 64 * 1024;
inline constexpr std::size_t outbound_bytes_max = 64 * 1024 * 1024;

// For how many attempts a reconnection stays quick, and how slow it becomes afterwards: the first
// is for a server that restarts, the second for a fleet that waits for a lost cluster.
inline constexpr int quick_attempts = 400;
inline constexpr base::Duration stable_after = base::seconds(5);
inline constexpr int delay_doublings_max = 16;
inline constexpr base::Duration slow_delay = base::seconds(2);
inline constexpr base::Duration attempt_timeout = base::seconds(1);
inline constexpr base::Duration close_wait = base::milliseconds(300);
// libnats 3.4 leaves out a signature that begins with a zero byte: one attempt in 256 is refused
// for nothing. Four such in a row come once in 4 thousand million.
inline constexpr int denied_attempts = 4;
// Whoever is refused for good is either to be given other credentials or to stay out: its attempts
// become this seldom.
inline constexpr base::Duration denied_delay_max = base::seconds(60);

struct NatsLinkOptions {
    NatsClientOptions client;
    base::Duration reconnect_delay;
    base::Duration connect_timeout;
};

class NatsLink {
public:
    // The listener outlives the link. Events: messages, and down and up after the first connection.
    [[nodiscard]] static base::Result<std::unique_ptr<NatsLink>> open(
        base::Loop& loop, NatsListener& listener, const NatsLinkOptions& options);
    ~NatsLink();

    NatsLink(const NatsLink&) = delete;
    NatsLink& operator=(const NatsLink&) = delete;

    void subscribe(std::uint64_t id, std::string pattern);
    void unsubscribe(std::uint64_t id);
    // A new connection with what the credentials file holds now, then the end of the old one.
    void reauthenticate();
    // Dropped unless this generation of the connection still stands (see NatsEvent).
    void publish(std::uint64_t generation, std::string subject, std::string reply,
                 std::string payload);

    [[nodiscard]] Losses losses() const;

private:
    struct Worker;
    explicit NatsLink(std::shared_ptr<Worker> worker);
    std::shared_ptr<Worker> worker_;
};

}  // namespace idlewatt::bus
