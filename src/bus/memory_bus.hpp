// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The bus's in-memory twin: a hub that carries messages between connections on one loop, with the
// weather of a real network: latency, loss, duplication, reordering, partition, all from a seed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

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
    // Plays the server's own side of Bus::system_request; nothing: no_responders.
    using SystemResponder = std::function<std::optional<std::string>(std::string_view subject,
                                                                     std::string_view payload)>;
    void set_system_responder(SystemResponder responder);
    // As a server that is killed and started again: every connection sees false, then true.
    void set_server_up(bool up);

private:
    struct Implementation;
    std::shared_ptr<Implementation> impl_;
};

}  // namespace idlewatt::bus
