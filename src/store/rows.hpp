// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a cell's store keeps, as values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "core/api_key.hpp"
#include "core/delivery.hpp"
#include "core/id.hpp"
#include "core/model.hpp"
#include "core/receipt.hpp"

namespace idlewatt::store {

struct Vehicle {
    core::VehicleId id;
    std::string public_key;  // NKey text, also the key under its receipts
    base::WallTime enrolled_at;
    std::string label{};  // for people
    std::string fleet{};  // an id; empty: none
    bool paused = false;  // by the operator
    bool draining = false;
    std::optional<base::WallTime> revoked_at{};
    base::WallTime jwt_expires_at{};  // of the last one that was handed out; 0: none
    friend bool operator==(const Vehicle&, const Vehicle&) = default;
};

// A token that lets one car in, once.
struct Enrolment {
    std::string id;
    std::string token_sha256;  // 64 hexadecimal digits; the token itself is nowhere
    std::string label;
    std::string fleet;  // an id; empty: none
    base::WallTime created_at;
    base::WallTime expires_at;
    std::optional<base::WallTime> used_at{};
    core::VehicleId vehicle{};  // that used it
    std::optional<base::WallTime> revoked_at{};
    friend bool operator==(const Enrolment&, const Enrolment&) = default;
};

struct EnrolmentClaim {
    std::string token_sha256;
    std::string public_key;
    std::string label;  // empty: the token's
    // The first that is free becomes the car's; at least one that nobody else has.
    std::vector<core::VehicleId> ids;
    base::WallTime now;
    base::WallTime jwt_expires_at;
};

struct KeyPage {
    std::uint64_t version = 0;  // of the key book; grows with every change
    std::vector<core::ApiKey> keys{};
    bool more = false;
    friend bool operator==(const KeyPage&, const KeyPage&) = default;
};

// What a car is to hold; the model's data are the registry's.
struct VehicleAssignment {
    core::VehicleId vehicle;
    std::uint64_t version = 0;
    std::string model;  // a name; empty: none
    friend bool operator==(const VehicleAssignment&, const VehicleAssignment&) = default;
};

struct StoredReceipt {
    core::Receipt receipt;
    core::SignedReceipt signed_receipt;
    friend bool operator==(const StoredReceipt&, const StoredReceipt&) = default;
};

struct ReceiptTotals {
    std::uint64_t receipts = 0;
    std::uint64_t generated_tokens = 0;
    std::uint64_t acknowledged_tokens = 0;
    friend bool operator==(const ReceiptTotals&, const ReceiptTotals&) = default;
};

struct StoredDelivery {
    core::Delivery delivery;
    core::SignedDelivery signed_delivery;
    friend bool operator==(const StoredDelivery&, const StoredDelivery&) = default;
};

struct DeliveryTotals {
    std::uint64_t deliveries = 0;
    std::uint64_t delivered_tokens = 0;
    friend bool operator==(const DeliveryTotals&, const DeliveryTotals&) = default;
};

}  // namespace idlewatt::store
