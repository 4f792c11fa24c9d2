// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The coordinator's HTTP interface as JSON, both ways: the coordinator parses requests and writes
// answers, the CLI and cars do the contrary. Errors are those of api_error.hpp. Times are RFC 3339
// in UTC with milliseconds. Parsing checks every bound; unknown fields are refused in requests (a
// misspelt limit must not be no limit) and ignored in answers. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "core/core.hpp"
#include "wire/api_error.hpp"

namespace idlewatt::wire {

inline constexpr std::size_t admin_request_bytes_max = 64 * 1024;
inline constexpr std::size_t admin_answer_bytes_max = 64 * 1024 * 1024;

template <class T>
using Parsed = tl::expected<T, ApiError>;

// ── keys ────────────────────────────────────────────────────────────────────────────────────────

struct KeyOrder {
    std::string label;
    core::KeyRole role = core::KeyRole::customer;
    core::KeyLimits limits{};
    core::DataClass data_class = core::DataClass::any_car;
    std::string fleet{};  // an id; empty: none
    friend bool operator==(const KeyOrder&, const KeyOrder&) = default;
};
[[nodiscard]] std::string key_order_body(const KeyOrder& order);
[[nodiscard]] Parsed<KeyOrder> parse_key_order(std::string_view body);

// The only moment when the secret is known. No answer holds its hash.
struct KeyCreated {
    core::ApiKey key;  // without secret_sha256
    std::string secret;
    friend bool operator==(const KeyCreated&, const KeyCreated&) = default;
};
[[nodiscard]] std::string key_created_body(const KeyCreated& created);
[[nodiscard]] base::Result<KeyCreated> parse_key_created(std::string_view body);

[[nodiscard]] std::string key_body(const core::ApiKey& key);  // also the answer to a revocation
[[nodiscard]] base::Result<core::ApiKey> parse_key_body(std::string_view body);
[[nodiscard]] std::string keys_body(const std::vector<core::ApiKey>& keys);
[[nodiscard]] base::Result<std::vector<core::ApiKey>> parse_keys_body(std::string_view body);

// ── models ──────────────────────────────────────────────────────────────────────────────────────

// The request to add one (added_at absent) and one row of the answer are the same object.
[[nodiscard]] std::string registered_model_body(const core::Model& model);
[[nodiscard]] Parsed<core::Model> parse_model_order(std::string_view body);
[[nodiscard]] base::Result<core::Model> parse_registered_model(std::string_view body);
struct RegisteredModel {
    core::Model model;
    bool blob_present = false;  // the coordinator holds its bytes
    std::uint32_t vehicles_assigned = 0;
    std::uint32_t vehicles_ready = 0;
    friend bool operator==(const RegisteredModel&, const RegisteredModel&) = default;
};
[[nodiscard]] std::string registered_models_body(const std::vector<RegisteredModel>& models);
[[nodiscard]] base::Result<std::vector<RegisteredModel>> parse_registered_models(
    std::string_view body);
[[nodiscard]] std::string model_removed_body(std::string_view name);

// ── enrolment tokens ────────────────────────────────────────────────────────────────────────────

inline constexpr base::Duration enrolment_token_life_max = base::minutes(30 * 24 * 60);

struct EnrolmentOrder {
    std::string label;
    std::string fleet{};                      // an id; empty: none
    base::Duration life = base::minutes(60);  // in whole seconds
    friend bool operator==(const EnrolmentOrder&, const EnrolmentOrder&) = default;
};
[[nodiscard]] std::string enrolment_order_body(const EnrolmentOrder& order);
[[nodiscard]] Parsed<EnrolmentOrder> parse_enrolment_order(std::string_view body);

struct EnrolmentRow {
    std::string id;
    std::string label;
    std::string fleet;
    base::WallTime created_at;
    base::WallTime expires_at;
    std::optional<base::WallTime> used_at;
    std::string vehicle;  // that used it; empty: none yet
    std::optional<base::WallTime> revoked_at;
    friend bool operator==(const EnrolmentRow&, const EnrolmentRow&) = default;
};
struct EnrolmentCreated {
    EnrolmentRow enrolment;
    std::string token;  // shown once
    friend bool operator==(const EnrolmentCreated&, const EnrolmentCreated&) = default;
};
[[nodiscard]] std::string enrolment_created_body(const EnrolmentCreated& created);
[[nodiscard]] base::Result<EnrolmentCreated> parse_enrolment_created(std::string_view body);
[[nodiscard]] std::string enrolment_body(const EnrolmentRow& row);
[[nodiscard]] base::Result<EnrolmentRow> parse_enrolment_body(std::string_view body);
[[nodiscard]] std::string enrolments_body(const std::vector<EnrolmentRow>& rows);
[[nodiscard]] base::Result<std::vector<EnrolmentRow>> parse_enrolments_body(std::string_view body);

// ── a car enrols ────────────────────────────────────────────────────────────────────────────────

inline constexpr std::size_t nats_urls_max = 16;

struct EnrolRequest {
    std::string token;
    std::string public_key;  // its NKey: 56 characters, U…
    std::string name{};      // for people and, if it is free, the vehicle's id; empty: none
    friend bool operator==(const EnrolRequest&, const EnrolRequest&) = default;
};
[[nodiscard]] std::string enrol_request_body(const EnrolRequest& request);
[[nodiscard]] Parsed<EnrolRequest> parse_enrol_request(std::string_view body);

struct EnrolAnswer {
    core::VehicleId vehicle;
    std::string cell;
    std::vector<std::string> nats_urls;
    std::string user_jwt;
    std::string membership;
    std::string account_public_key;
    base::WallTime expires_at;  // of user_jwt and membership
    friend bool operator==(const EnrolAnswer&, const EnrolAnswer&) = default;
};
[[nodiscard]] std::string enrol_answer_body(const EnrolAnswer& answer);
[[nodiscard]] base::Result<EnrolAnswer> parse_enrol_answer(std::string_view body);

// ── enrolled cars ───────────────────────────────────────────────────────────────────────────────

// Orders have no body; every answer is the row as it is now.
struct EnrolledVehicle {
    core::VehicleId id;
    std::string name;
    std::string fleet;
    base::WallTime enrolled_at;
    bool paused = false;
    bool draining = false;
    std::optional<base::WallTime> revoked_at;
    std::string model;  // assigned; empty: none
    friend bool operator==(const EnrolledVehicle&, const EnrolledVehicle&) = default;
};
[[nodiscard]] std::string enrolled_vehicle_body(const EnrolledVehicle& vehicle);
[[nodiscard]] base::Result<EnrolledVehicle> parse_enrolled_vehicle(std::string_view body);
[[nodiscard]] std::string enrolled_vehicles_body(const std::vector<EnrolledVehicle>& vehicles);
[[nodiscard]] base::Result<std::vector<EnrolledVehicle>> parse_enrolled_vehicles(
    std::string_view body);

}  // namespace idlewatt::wire
