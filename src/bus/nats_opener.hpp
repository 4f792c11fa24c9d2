// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Opens connections beside the loop: looking up names, TLS and a server that says nothing all take
// their time. A thread lives for as long as there is something to open. Internal to the module.
//
// Lifecycle: the work begins with construction; after destruction nothing is told. Destruction
// waits for the thread until close_wait at most; an attempt that takes longer ends by itself.
// Threads: the loop's; the work runs on the opener's.
#pragma once

#include <functional>
#include <memory>

#include "base/loop.hpp"
#include "bus/nats_handshake.hpp"

namespace idlewatt::bus {

class NatsOpener {
public:
    using Opened = base::Result<NatsSession>;
    // Waits for the whole span, unless it is time to stop: then true at once.
    using StopsWithin = std::function<bool(base::Duration span)>;
    using Work = std::function<Opened(const StopsWithin& stops_within)>;
    // On the loop, once. May destroy the opener.
    using OnOpened = std::function<void(Opened opened)>;

    NatsOpener(base::Loop& loop, Work work, OnOpened on_opened);
    ~NatsOpener();
    NatsOpener(const NatsOpener&) = delete;
    NatsOpener& operator=(const NatsOpener&) = delete;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace idlewatt::bus
