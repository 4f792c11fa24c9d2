// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Messages between roles as bytes and back. Hides protobuf (api/wire.proto, which names every
// bound). Decoding is for bytes from strangers: it checks every bound and enumerator and never
// allocates more than the input justifies. Encoding does not check: a value out of bounds is
// refused by the other side; only texts of errors are cut to fit. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "core/core.hpp"

namespace idlewatt::wire {

inline constexpr std::uint32_t piece_tokens_max = 65'536;
inline constexpr std::size_t piece_text_bytes_max = core::message_part_bytes_max;
inline constexpr std::size_t tool_name_bytes_max = 128;
inline constexpr std::size_t resume_segments_max = 131'072;
inline constexpr std::uint32_t resume_tokens_max = 4'194'304;
inline constexpr std::size_t resume_reasoning_bytes_max = 1024 * 1024;
inline constexpr std::size_t error_text_bytes_max = 4096;
inline constexpr std::size_t receipt_bytes_max = 4096;
inline constexpr std::size_t signature_bytes_max = 128;

[[nodiscard]] std::string encode(const core::Announcement& announcement);
[[nodiscard]] base::Result<core::Announcement> decode_announcement(std::string_view bytes);

[[nodiscard]] std::string encode(const core::ToCar& message);
[[nodiscard]] base::Result<core::ToCar> decode_to_car(std::string_view bytes);

[[nodiscard]] std::string encode(const core::FromCar& message);
[[nodiscard]] base::Result<core::FromCar> decode_from_car(std::string_view bytes);

[[nodiscard]] std::string encode(const core::Work& work);
// The same of its parts, which nobody has to copy first.
[[nodiscard]] std::string encode_work(const core::WorkId& id, std::string_view model,
                                      std::string_view request_json,
                                      const core::ResumePoint& resume, core::Task task);
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

// What a cell's store holds, as the coordinator answers it to an empty request.
struct Totals {
    std::uint64_t receipts = 0;
    std::uint64_t generated_tokens = 0;
    std::uint64_t acknowledged_tokens = 0;
    friend bool operator==(const Totals&, const Totals&) = default;
};
[[nodiscard]] std::string encode(const Totals& totals);
[[nodiscard]] base::Result<Totals> decode_totals(std::string_view bytes);

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
