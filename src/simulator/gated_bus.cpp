// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/gated_bus.hpp"

namespace idlewatt::simulator {

namespace {

// Runs the callback behind the gate, with copies of the arguments.
template <class Function>
auto behind(GatedLoop& gate, Function function) {
    return [&gate, function = std::move(function)](const auto&... arguments) {
        gate.enter([function, arguments...] { function(arguments...); });
    };
}

}  // namespace

bus::SubscriptionId GatedBus::subscribe(std::string_view subject, OnMessage on_message) {
    return below_->subscribe(subject, behind(gate_, std::move(on_message)));
}

void GatedBus::unsubscribe(bus::SubscriptionId subscription) {
    below_->unsubscribe(subscription);
}

void GatedBus::publish(std::string_view subject, std::string_view payload) {
    below_->publish(subject, payload);
}

void GatedBus::publish_or(std::string_view subject, std::string_view payload,
                          std::function<void()> on_no_responders) {
    below_->publish_or(subject, payload, behind(gate_, std::move(on_no_responders)));
}

void GatedBus::request(std::string_view subject, std::string_view payload, base::Duration timeout,
                       OnReply on_reply) {
    below_->request(subject, payload, timeout, behind(gate_, std::move(on_reply)));
}

void GatedBus::reply(const bus::Message& to, std::string_view payload) {
    below_->reply(to, payload);
}

void GatedBus::system_request(std::string_view subject, std::string_view payload,
                              base::Duration timeout, OnReply on_reply) {
    below_->system_request(subject, payload, timeout, behind(gate_, std::move(on_reply)));
}

void GatedBus::on_state(OnState on_state) {
    below_->on_state(behind(gate_, std::move(on_state)));
}

void GatedBus::on_departure(OnDeparture on_departure) {
    below_->on_departure(behind(gate_, std::move(on_departure)));
}

}  // namespace idlewatt::simulator
