// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A gateway's own record of what one attempt brought to a client, signed by the gateway, kept in
// its spool until the coordinator has committed it. The counterpart of a car's receipt.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.hpp"
#include "core/api_key.hpp"
#include "core/id.hpp"

namespace idlewatt::core {

using DeliveryId = base::NamedType<std::string, struct DeliveryIdTag>;

struct Delivery {
    DeliveryId id;
    GatewayId gateway;
    VehicleId vehicle;
    WorkId work;
    AttemptId attempt;
    KeyId key;  // empty: asked without one
    std::string model;
    std::uint32_t prompt_tokens = 0;     // known only of the attempt that ended the answer
    std::uint32_t delivered_tokens = 0;  // of this attempt, with the client
    bool last = false;                   // this attempt ended the answer
    base::WallTime started_at;
    base::Duration duration;

    friend bool operator==(const Delivery&, const Delivery&) = default;
};

// The exact bytes that were signed, so that a check needs no canonical encoding.
struct SignedDelivery {
    DeliveryId id;
    std::string payload;
    std::string signature;

    friend bool operator==(const SignedDelivery&, const SignedDelivery&) = default;
};

}  // namespace idlewatt::core
