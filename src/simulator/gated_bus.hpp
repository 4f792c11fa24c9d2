// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A bus connection whose callbacks wait while its process is stopped. Owns the connection below:
// destroying it closes that, as a process's death closes its sockets.
#pragma once

#include <memory>
#include <utility>

#include "bus/bus.hpp"
#include "simulator/gated_loop.hpp"

namespace idlewatt::simulator {

class GatedBus final : public bus::Bus {
public:
    GatedBus(GatedLoop& gate, std::unique_ptr<bus::Bus> below)
        : gate_(gate), below_(std::move(below)) {}

    bus::SubscriptionId subscribe(std::string_view subject, OnMessage on_message) override;
    void unsubscribe(bus::SubscriptionId subscription) override;
    void publish(std::string_view subject, std::string_view payload) override;
    void publish_or(std::string_view subject, std::string_view payload,
                    std::function<void()> on_no_responders) override;
    void request(std::string_view subject, std::string_view payload, base::Duration timeout,
                 OnReply on_reply) override;
    void reply(const bus::Message& to, std::string_view payload) override;
    void system_request(std::string_view subject, std::string_view payload, base::Duration timeout,
                        OnReply on_reply) override;
    void reauthenticate() override { below_->reauthenticate(); }
    [[nodiscard]] bool connected() const override { return below_->connected(); }
    void on_state(OnState on_state) override;
    void on_departure(OnDeparture on_departure) override;
    [[nodiscard]] bus::Losses losses() const override { return below_->losses(); }

private:
    GatedLoop& gate_;
    std::unique_ptr<bus::Bus> below_;
};

}  // namespace idlewatt::simulator
