// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Messages between roles as bytes and back. Hides protobuf (api/wire.proto). Decoding is for bytes
// from strangers: it checks every bound and enumerator and never allocates more than the input
// justifies. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "core/core.hpp"

namespace idlewatt::wire {

[[nodiscard]] std::string encode(const core::Announcement& announcement);
[[nodiscard]] base::Result<core::Announcement> decode_announcement(std::string_view bytes);

[[nodiscard]] std::string encode(const core::ToCar& message);
[[nodiscard]] base::Result<core::ToCar> decode_to_car(std::string_view bytes);

[[nodiscard]] std::string encode(const core::FromCar& message);
[[nodiscard]] base::Result<core::FromCar> decode_from_car(std::string_view bytes);

[[nodiscard]] std::string encode(const core::Work& work);
[[nodiscard]] base::Result<core::Work> decode_work(std::string_view bytes);

[[nodiscard]] std::string encode(const core::Receipt& receipt);
[[nodiscard]] base::Result<core::Receipt> decode_receipt(std::string_view bytes);

// A batch on its way from a car's spool to the coordinator, at most receipts_per_batch_max.
inline constexpr std::size_t receipts_per_batch_max = 256;
[[nodiscard]] std::string encode(const std::vector<core::SignedReceipt>& batch);
[[nodiscard]] base::Result<std::vector<core::SignedReceipt>> decode_receipts(
    std::string_view bytes);

// The coordinator's answer: these are committed. Those it refuses for good (bad signature, say)
// are named apart, so that a car does not send them for ever.
struct ReceiptsAnswer {
    std::vector<core::ReceiptId> committed;
    std::vector<core::ReceiptId> refused;
    friend bool operator==(const ReceiptsAnswer&, const ReceiptsAnswer&) = default;
};
[[nodiscard]] std::string encode(const ReceiptsAnswer& answer);
[[nodiscard]] base::Result<ReceiptsAnswer> decode_receipts_answer(std::string_view bytes);

// An order to a car whose signals are scripted: hold these values. nullopt: missing.
struct SignalOverride {
    std::vector<std::pair<core::SignalId, std::optional<double>>> values;
    friend bool operator==(const SignalOverride&, const SignalOverride&) = default;
};
[[nodiscard]] std::string encode(const SignalOverride& order);
[[nodiscard]] base::Result<SignalOverride> decode_signal_override(std::string_view bytes);

// The answer to an order: empty when it was taken, else why not.
struct OrderAnswer {
    std::string error;
    friend bool operator==(const OrderAnswer&, const OrderAnswer&) = default;
};
[[nodiscard]] std::string encode(const OrderAnswer& answer);
[[nodiscard]] base::Result<OrderAnswer> decode_order_answer(std::string_view bytes);

}  // namespace idlewatt::wire
