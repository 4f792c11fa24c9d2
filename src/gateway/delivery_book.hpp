// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The gateway's delivery records on their way to the coordinator: signed, kept in a spool until
// they are committed there, sent in batches. The counterpart of a car's receipt book.
//
// Lifecycle: owned by the gateway; takes up what a former life left in the spool. A record is with
// the operating system before add() returns (survives kill -9) and on the disk within
// delivery_gather. Threads: the gateway's loop.
#pragma once

#include <cstdint>
#include <string>

#include "base/loop.hpp"
#include "bus/bus.hpp"
#include "core/delivery.hpp"
#include "identity/identity.hpp"
#include "spool/outbox.hpp"
#include "spool/spool.hpp"
#include "wire/cell.hpp"
#include "wire/subject.hpp"

namespace idlewatt::gateway {

// Records gathered for this long go out together.
inline constexpr base::Duration delivery_gather = base::milliseconds(200);
inline constexpr base::Duration delivery_answer_timeout = base::seconds(3);
// Not yet committed; further ones are lost, which is logged. About 100 MB of the spool.
inline constexpr std::size_t deliveries_kept_max = 250'000;

class DeliveryBook {
public:
    DeliveryBook(base::Loop& loop, bus::Bus& bus, spool::Spool& spool, const identity::KeyPair& key,
                 wire::Subjects subjects, core::GatewayId gateway, std::string user_jwt);

    DeliveryBook(const DeliveryBook&) = delete;
    DeliveryBook& operator=(const DeliveryBook&) = delete;

    void add(const core::Delivery& delivery);
    // After a reconnect: no need to wait for the next try.
    void deliver_now() { outbox_.deliver_now(); }
    // After a renewal of the credentials.
    void set_user_jwt(std::string user_jwt) { user_jwt_ = std::move(user_jwt); }

    [[nodiscard]] std::size_t undelivered() const { return outbox_.size(); }
    [[nodiscard]] std::uint64_t lost() const { return lost_; }

private:
    void send(const std::vector<spool::Parcel>& batch, const spool::Outbox::Answer& answer);

    bus::Bus& bus_;
    const identity::KeyPair& key_;
    wire::Subjects subjects_;
    core::GatewayId gateway_;
    std::string user_jwt_;
    std::uint64_t lost_ = 0;
    spool::Outbox outbox_;
};

}  // namespace idlewatt::gateway
