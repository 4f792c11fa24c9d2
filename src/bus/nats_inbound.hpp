// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The way from libnats's threads to the loop: a bounded queue, emptied in batches by one posted
// task. Internal to the module.
//
// Lifecycle: shared by the connection's owner and whoever pushes; after close() nothing reaches
// the owner or the loop. Threads: push() any, the rest the loop's.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "base/loop.hpp"
#include "bus/bus.hpp"

namespace idlewatt::bus {

// Above either, messages are dropped and counted, as a server does with a slow consumer. What the
// loop has taken to handle it, once as many at most, does not count.
inline constexpr std::size_t inbound_messages_max = 64 * 1024;
inline constexpr std::size_t inbound_bytes_max = 64 * 1024 * 1024;
// Messages handled before other tasks of the loop get their turn.
inline constexpr int inbound_batch = 128;

struct NatsEvent {
    enum class Kind { message, no_responders, up, down };

    Kind kind = Kind::message;
    std::uint64_t subscription = 0;  // of a message or status
    std::uint64_t generation = 0;    // of the connection that came up or went down
    Message message;
};

class NatsListener {
public:
    virtual ~NatsListener() = default;
    // On the loop. May end in the destruction of the listener.
    virtual void on_event(const NatsEvent& event) = 0;
};

class NatsInbound final : public std::enable_shared_from_this<NatsInbound> {
public:
    NatsInbound(base::Loop& loop, NatsListener& listener);

    void push(NatsEvent event);
    void close();
    [[nodiscard]] std::uint64_t dropped() const;

private:
    void drain();
    bool take_all();  // false: there was nothing

    base::Loop& loop_;
    NatsListener* listener_;       // the loop's; null when closed
    std::deque<NatsEvent> taken_;  // the loop's: to be handled, in front of events_

    mutable std::mutex mutex_;  // guards all below
    std::deque<NatsEvent> events_;
    std::size_t bytes_ = 0;
    std::uint64_t dropped_ = 0;
    bool draining_ = false;  // a task is posted
    bool closed_ = false;
};

}  // namespace idlewatt::bus
