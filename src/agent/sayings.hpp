// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a car says to gateways, on its way to the bus: of an answer that its client gets in one
// piece the words are held back for a moment and leave together, and signs of life with what
// follows them.
//
// Lifecycle: flush() is called every tick, so that nothing is held for longer than that. Threads:
// the loop's.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/event.hpp"
#include "bus/bus.hpp"
#include "wire/subject.hpp"

namespace idlewatt::agent {

inline constexpr std::size_t held_messages_max = 32;
inline constexpr std::size_t held_bytes_max = 64 * 1024;

class Sayings {
public:
    Sayings(bus::Bus& bus, const wire::Subjects& subjects, core::VehicleId vehicle,
            core::Incarnation incarnation);

    // The engine is asked this now; without it an answer is taken for one that is streamed.
    void begin(const core::AttemptId& attempt, std::string_view request_json);
    void say(const Say& effect);
    // All that is held.
    void flush();
    // Its receipt is closed. What is still held was given up by the gateway or its lease.
    void forget(const core::AttemptId& attempt);

private:
    struct Held {
        core::GatewayId gateway;
        bool whole = false;  // the client gets all of it at once
        std::vector<std::string> messages;
        std::size_t bytes = 0;
        bool alive_last = false;  // the last of them says no more than that
    };
    void send(const core::AttemptId& attempt, Held& held);

    bus::Bus& bus_;
    const wire::Subjects& subjects_;
    core::VehicleId vehicle_;
    core::Incarnation incarnation_;
    std::map<core::AttemptId, Held> held_;
};

}  // namespace idlewatt::agent
