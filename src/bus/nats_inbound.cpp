// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_inbound.hpp"

#include <utility>

#include "base/log.hpp"

namespace idlewatt::bus {

NatsInbound::NatsInbound(base::Loop& loop, NatsListener& listener)
    : loop_(loop), listener_(&listener) {}

void NatsInbound::push(NatsEvent event) {
    const std::size_t size = event.message.payload.size() + event.message.subject.size();
    const bool droppable =
        event.kind == NatsEvent::Kind::message || event.kind == NatsEvent::Kind::no_responders;
    const std::lock_guard lock(mutex_);
    if (closed_)
        return;
    if (droppable &&
        (events_.size() >= inbound_messages_max || bytes_ + size > inbound_bytes_max)) {
        if (dropped_++ == 0) {
            base::log_warning("bus", "messages come faster than they are handled; dropping some");
        }
        return;
    }
    bytes_ += size;
    events_.push_back(std::move(event));
    // Under the lock: after close() the loop may be gone.
    if (!std::exchange(draining_, true)) {
        loop_.post([self = shared_from_this()] { self->drain(); });
    }
}

void NatsInbound::drain() {
    for (int i = 0; i < inbound_batch && listener_ != nullptr; ++i) {
        if (taken_.empty() && !take_all())
            return;
        const NatsEvent event = std::move(taken_.front());
        taken_.pop_front();
        listener_->on_event(event);
    }
    if (listener_ != nullptr)
        loop_.post([self = shared_from_this()] { self->drain(); });
}

// A lock for each message would be fought for with whoever brings the next one.
bool NatsInbound::take_all() {
    const std::lock_guard lock(mutex_);
    taken_.swap(events_);
    bytes_ = 0;
    draining_ = !taken_.empty();
    return draining_;
}

void NatsInbound::close() {
    listener_ = nullptr;
    taken_.clear();
    const std::lock_guard lock(mutex_);
    closed_ = true;
    events_.clear();
}

std::uint64_t NatsInbound::dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
}

}  // namespace idlewatt::bus
