// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The program that clients talk to: joins the gateway's mind (gateway_core.hpp) with HTTP and bus,
// asks the coordinator for keys, tells it what was asked for and what was delivered, hands files
// and batches on to it, and runs the lines of batches.
//
// Lifecycle: construct, start(), stop(); destruction alone breaks open answers off. Threads: the
// loop's. The parts outlive the gateway.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "bus/bus.hpp"
#include "gateway/batch_runner.hpp"
#include "gateway/delivery_book.hpp"
#include "gateway/forward_desk.hpp"
#include "gateway/gateway_core.hpp"
#include "gateway/key_book_keeper.hpp"
#include "gateway/membership_book.hpp"
#include "http/forwarder.hpp"
#include "http/http.hpp"
#include "identity/identity.hpp"
#include "spool/spool.hpp"
#include "wire/subject.hpp"

namespace idlewatt::gateway {

inline constexpr base::Duration order_timeout = base::seconds(5);
inline constexpr base::Duration demand_period = base::seconds(2);
// For clients that read slowly to learn that the gateway stops.
inline constexpr base::Duration gateway_stop_max = base::seconds(1);

struct GatewayParts {
    base::Loop& loop;
    bus::Bus& bus;
    http::Server& server;
    // For the key book and delivery records; null: the book is forgotten, no record is kept.
    spool::Spool* spool = nullptr;
    // The key of the gateway's credentials, which signs the records; null: none is kept.
    const identity::KeyPair* key = nullptr;
    // To the coordinator, for files and batches; null: they are answered with 503.
    http::Forwarder* coordinator = nullptr;
};

struct GatewayOptions {
    std::string cell = "c1";
    GatewayConfig core;
    // The cell's account, which signs memberships; empty: no car is believed to be of a fleet.
    std::string account_public_key{};
    // Of the gateway's credentials; shown with delivery records.
    std::string user_jwt{};
    bool runs_batches = false;
};

class Gateway {
public:
    Gateway(const GatewayParts& parts, GatewayOptions options);
    ~Gateway();

    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    void start();
    // Takes nothing new, ends open answers in the API's error, and calls back on the loop when
    // clients have that, or after gateway_stop_max.
    void stop(std::function<void()> done);

    // After a renewal of the credentials.
    void set_user_jwt(std::string user_jwt);

    [[nodiscard]] const GatewayCore& core() const { return core_; }
    // Null: it runs none.
    [[nodiscard]] const BatchCore* batches() const {
        return batches_ ? &batches_->core() : nullptr;
    }
    // Delivery records that the coordinator has not committed yet.
    [[nodiscard]] std::size_t undelivered() const {
        return deliveries_ ? deliveries_->undelivered() : 0;
    }

private:
    void feed(const Event& event);
    void perform(Respond& effect);
    void perform(BeginResponse& effect);
    void perform(WriteResponse& effect);
    void perform(EndResponse& effect);
    void perform(AbortResponse& effect);
    void perform(Tell& effect);
    void perform(OrderSignals& effect);
    void perform(Record& effect);
    void perform(Forward& effect);
    void perform(BatchDeferred& effect);
    void hear_car(const bus::Message& message);
    void listen();
    void start_books();
    void start_batches();
    void tell_demand();
    void take_departure(const bus::Departure& departure);
    void tick();
    void look_whether_told();

    GatewayParts parts_;
    GatewayOptions options_;
    wire::Subjects subjects_;
    GatewayCore core_;
    std::vector<bus::SubscriptionId> subscriptions_;
    MembershipBook memberships_;
    std::unique_ptr<DeliveryBook> deliveries_;
    std::unique_ptr<KeyBookKeeper> key_book_;
    ForwardDesk forwards_;
    std::unique_ptr<BatchRunner> batches_;
    std::function<void()> stopped_;  // empty: nobody has asked
    base::Instant stop_asked_at_;
    base::TimerId timer_{};
    base::TimerId demand_timer_{};
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::gateway
