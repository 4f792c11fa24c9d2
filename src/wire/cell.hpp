// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Messages that run a cell: between the coordinator on one side, gateways and cars on the other,
// as bytes and back. The rules of wire.hpp hold: decoding checks every bound. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "core/core.hpp"

namespace idlewatt::wire {

// ── delivery records ────────────────────────────────────────────────────────────────────────────

[[nodiscard]] std::string encode(const core::Delivery& delivery);
[[nodiscard]] base::Result<core::Delivery> decode_delivery(std::string_view bytes);

// A gateway's batch. Its user JWT, signed by the cell's account, names the key under the records.
inline constexpr std::size_t deliveries_per_batch_max = 256;
inline constexpr std::size_t user_jwt_bytes_max = 4096;
struct DeliveryBatch {
    std::string user_jwt;
    std::vector<core::SignedDelivery> deliveries;
    friend bool operator==(const DeliveryBatch&, const DeliveryBatch&) = default;
};
[[nodiscard]] std::string encode(const DeliveryBatch& batch);
[[nodiscard]] base::Result<DeliveryBatch> decode_delivery_batch(std::string_view bytes);

struct DeliveriesAnswer {
    std::vector<core::DeliveryId> committed;
    std::vector<core::DeliveryId> refused;  // for good
    friend bool operator==(const DeliveriesAnswer&, const DeliveriesAnswer&) = default;
};
[[nodiscard]] std::string encode(const DeliveriesAnswer& answer);
[[nodiscard]] base::Result<DeliveriesAnswer> decode_deliveries_answer(std::string_view bytes);

// ── the key book, in pages ──────────────────────────────────────────────────────────────────────

struct KeyBookRequest {
    std::uint64_t known_version = 0;  // if it is the current one, the answer has no keys
    core::KeyId after;                // empty: from the beginning
    friend bool operator==(const KeyBookRequest&, const KeyBookRequest&) = default;
};
inline constexpr std::size_t keys_per_page_max = 1000;
struct KeyBookPage {
    core::KeyBook book;      // the keys of this page only, in the order of their ids
    bool unchanged = false;  // known_version is current
    bool more = false;       // ask again after the last one; a changed version means: start again
    friend bool operator==(const KeyBookPage&, const KeyBookPage&) = default;
};
[[nodiscard]] std::string encode(const KeyBookRequest& request);
[[nodiscard]] base::Result<KeyBookRequest> decode_key_book_request(std::string_view bytes);
[[nodiscard]] std::string encode(const KeyBookPage& page);
[[nodiscard]] base::Result<KeyBookPage> decode_key_book_page(std::string_view bytes);
// A whole book, for a file; at most keys_max keys.
[[nodiscard]] std::string encode(const core::KeyBook& book);
[[nodiscard]] base::Result<core::KeyBook> decode_key_book(std::string_view bytes);

// ── what a car is to hold ───────────────────────────────────────────────────────────────────────

inline constexpr std::size_t model_word_bytes_max = 64;  // architecture, quantization
inline constexpr std::size_t blob_url_bytes_max = 2048;
[[nodiscard]] std::string encode(const core::Capacity& capacity);
[[nodiscard]] base::Result<core::Capacity> decode_capacity(std::string_view bytes);
[[nodiscard]] std::string encode(const core::Assignment& assignment);
[[nodiscard]] base::Result<core::Assignment> decode_assignment(std::string_view bytes);

// ── credentials of hours ────────────────────────────────────────────────────────────────────────

struct Renewal {
    std::string user_jwt;
    std::string membership;
    base::WallTime expires_at;
    friend bool operator==(const Renewal&, const Renewal&) = default;
};
// The request is empty: the subject says who asks.
[[nodiscard]] std::string encode(const Renewal& renewal);
[[nodiscard]] base::Result<Renewal> decode_renewal(std::string_view bytes);

// ── demand ──────────────────────────────────────────────────────────────────────────────────────

inline constexpr std::size_t demands_max = core::models_max;
[[nodiscard]] std::string encode(const std::vector<core::ModelDemand>& demands);
[[nodiscard]] base::Result<std::vector<core::ModelDemand>> decode_demands(std::string_view bytes);

}  // namespace idlewatt::wire
