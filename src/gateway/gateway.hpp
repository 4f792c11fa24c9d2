// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The program that clients talk to: joins the gateway's mind (gateway_core.hpp) with HTTP and bus.
//
// Lifecycle: construct, start(); destruction closes nothing gracefully (clients retry). Threads:
// the loop's. The parts outlive the gateway.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "bus/bus.hpp"
#include "gateway/gateway_core.hpp"
#include "http/http.hpp"
#include "wire/subject.hpp"

namespace idlewatt::gateway {

inline constexpr base::Duration order_timeout = base::seconds(5);

struct GatewayParts {
    base::Loop& loop;
    bus::Bus& bus;
    http::Server& server;
};

struct GatewayOptions {
    std::string cell = "c1";
    GatewayConfig core;
};

class Gateway {
public:
    Gateway(const GatewayParts& parts, GatewayOptions options);
    ~Gateway();

    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    void start();

    [[nodiscard]] const GatewayCore& core() const { return core_; }

private:
    void feed(const Event& event);
    void perform(Respond& effect);
    void perform(BeginResponse& effect);
    void perform(WriteResponse& effect);
    void perform(EndResponse& effect);
    void perform(AbortResponse& effect);
    void perform(Tell& effect);
    void perform(OrderSignals& effect);
    void take_departure(const bus::Departure& departure);
    void tick();

    GatewayParts parts_;
    GatewayOptions options_;
    wire::Subjects subjects_;
    GatewayCore core_;
    std::vector<bus::SubscriptionId> subscriptions_;
    base::TimerId timer_{};
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::gateway
