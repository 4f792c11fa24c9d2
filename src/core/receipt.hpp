// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The car's own record of what one attempt did, signed by the car, kept in its spool until the
// coordinator has committed it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "core/id.hpp"

namespace idlewatt::core {

enum class AttemptEnd {
    finished,       // the engine ended the answer and the gateway acknowledged all of it
    cancelled,      // the gateway asked to stop: its client is gone
    recalled,       // the owner or a recall reason stopped it
    drained,        // handed over on purpose
    lease_expired,  // no acknowledgement for lease_duration
    engine_failed,  // the engine crashed, hung or refused
    interrupted,    // the agent's process died; written after its restart
};

[[nodiscard]] std::string_view name(AttemptEnd end);

struct Receipt {
    ReceiptId id;
    VehicleId vehicle;
    GatewayId gateway;
    WorkId work;
    AttemptId attempt;
    std::string model;
    AttemptEnd end = AttemptEnd::finished;
    std::uint32_t prompt_tokens = 0;
    std::uint32_t generated_tokens = 0;     // by the engine in this attempt
    std::uint32_t acknowledged_tokens = 0;  // of these, acknowledged by the gateway
    base::WallTime started_at;
    base::Duration duration;
    double energy_j = 0.0;
    bool energy_estimated = true;  // false only when a sensor measured it

    friend bool operator==(const Receipt&, const Receipt&) = default;
};

// The exact bytes that were signed, so that a check needs no canonical encoding.
struct SignedReceipt {
    ReceiptId id;
    std::string payload;
    std::string signature;

    friend bool operator==(const SignedReceipt&, const SignedReceipt&) = default;
};

}  // namespace idlewatt::core
