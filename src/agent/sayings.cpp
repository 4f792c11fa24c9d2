// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent/sayings.hpp"

#include "wire/bundle.hpp"
#include "wire/wire.hpp"

namespace idlewatt::agent {

namespace {

static_assert(held_messages_max <= wire::bundle_messages_max &&
                  2 * held_bytes_max < wire::bundle_bytes_max,
              "what is held, and one more, fits into a bundle");

bool may_wait(const core::FromCar& message, bool whole) {
    if (std::holds_alternative<core::Alive>(message))
        return true;
    const auto* numbered = std::get_if<core::Numbered>(&message);
    return whole && numbered != nullptr && std::holds_alternative<core::Piece>(numbered->content);
}

}  // namespace

Sayings::Sayings(bus::Bus& bus, const wire::Subjects& subjects, core::VehicleId vehicle,
                 core::Incarnation incarnation)
    : bus_(bus), subjects_(subjects), vehicle_(std::move(vehicle)), incarnation_(incarnation) {}

// Whoever wants a stream has to say that word; whoever only mentions it loses nothing but a little
// time on the bus.
void Sayings::begin(const core::AttemptId& attempt, std::string_view request_json) {
    held_[attempt].whole = request_json.find("stream") == request_json.npos;
}

void Sayings::say(const Say& effect) {
    Held& held = held_[effect.attempt];
    held.gateway = effect.gateway;
    const bool alive = std::holds_alternative<core::Alive>(effect.message);
    // Words are a sign of life, too.
    if (held.alive_last && !alive) {
        held.bytes -= held.messages.back().size();
        held.messages.pop_back();
    }
    held.alive_last = alive;
    std::string message = wire::encode(effect.message);
    // What is large goes alone.
    if (message.size() > held_bytes_max)
        send(effect.attempt, held);
    held.bytes += message.size();
    held.messages.push_back(std::move(message));
    if (!may_wait(effect.message, held.whole) || held.messages.size() >= held_messages_max ||
        held.bytes >= held_bytes_max)
        send(effect.attempt, held);
}

void Sayings::flush() {
    for (auto& [attempt, held] : held_)
        send(attempt, held);
    std::erase_if(held_, [](const auto& entry) { return !entry.second.whole; });
}

void Sayings::forget(const core::AttemptId& attempt) {
    held_.erase(attempt);
}

void Sayings::send(const core::AttemptId& attempt, Held& held) {
    if (held.messages.empty())
        return;
    bus_.publish(subjects_.out(vehicle_, held.gateway, incarnation_, attempt),
                 wire::bundle(held.messages));
    held.messages.clear();
    held.bytes = 0;
    held.alive_last = false;
}

}  // namespace idlewatt::agent
