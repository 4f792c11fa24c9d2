// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The bus's in-memory twin: a hub that carries messages between connections on one loop, with the
// weather of a real network: latency, loss, duplication, reordering, partition, all from a seed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "bus/bus.hpp"

namespace idlewatt::bus {

struct Weather {
    base::Duration latency_min = base::microseconds(200);
    base::Duration latency_max = base::microseconds(200);  // above the minimum: uniform
    double loss = 0.0;                                     // probability per delivery
    double duplication = 0.0;                              // probability per delivery
    bool reorder = false;  // false: in order per sender and receiver, as NATS delivers
};

class MemoryHub {
public:
    MemoryHub(base::Loop& loop, std::uint64_t seed);
    ~MemoryHub();

    MemoryHub(const MemoryHub&) = delete;
    MemoryHub& operator=(const MemoryHub&) = delete;

    // A new connection. Destroying it tells every other connection's on_departure, as a closed
    // socket would. The hub outlives its connections.
    [[nodiscard]] std::unique_ptr<Bus> connect(std::string name, std::string label);

    void set_weather(const Weather& weather);
    // Cuts the named user's connections off (messages vanish in both directions, on_state says
    // false) until healed; on_departure is told, as the server would after its ping time-out.
    void partition(const std::string& name);
    void heal(const std::string& name);
    // As a server that is killed and started again: every connection sees false, then true.
    void set_server_up(bool up);

private:
    struct Implementation;
    std::shared_ptr<Implementation> impl_;
};

}  // namespace idlewatt::bus
