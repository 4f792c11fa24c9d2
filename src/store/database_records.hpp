// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The statements that run a thousand times a second, prepared once. Only for this module.
#pragma once

#include "store/row.hpp"

namespace idlewatt::store {

struct ReceiptRow {
    static constexpr const char* table = "receipt";
    std::string id, vehicle, gateway, work, attempt, model, attempt_end, payload, signature;
    long long prompt_tokens = 0;
    long long generated_tokens = 0;
    long long acknowledged_tokens = 0;
    long long started_at_us = 0;
    long long duration_ns = 0;
    double energy_j = 0;
    long long energy_estimated = 0;

    template <class F>
    void each(F f) {
        f("id", id), f("vehicle", vehicle), f("gateway", gateway), f("work", work);
        f("attempt", attempt), f("model", model), f("attempt_end", attempt_end);
        f("prompt_tokens", prompt_tokens), f("generated_tokens", generated_tokens);
        f("acknowledged_tokens", acknowledged_tokens), f("started_at_us", started_at_us);
        f("duration_ns", duration_ns), f("energy_j", energy_j);
        f("energy_estimated", energy_estimated);
        f("payload_hex", payload), f("signature_hex", signature);
    }
};

struct DeliveryRow {
    static constexpr const char* table = "delivery";
    std::string id, gateway, vehicle, work, attempt, api_key, model, payload, signature;
    long long prompt_tokens = 0;
    long long delivered_tokens = 0;
    long long is_last = 0;
    long long started_at_us = 0;
    long long duration_ns = 0;

    template <class F>
    void each(F f) {
        f("id", id), f("gateway", gateway), f("vehicle", vehicle), f("work", work);
        f("attempt", attempt), f("api_key", api_key), f("model", model);
        f("prompt_tokens", prompt_tokens), f("delivered_tokens", delivered_tokens);
        f("is_last", is_last), f("started_at_us", started_at_us), f("duration_ns", duration_ns);
        f("payload_hex", payload), f("signature_hex", signature);
    }
};

struct Database::Prepared {
    explicit Prepared(soci::session& session)
        : receipt(session, or_nothing), delivery(session, or_nothing) {}
    Insert<ReceiptRow> receipt;
    Insert<DeliveryRow> delivery;
};

}  // namespace idlewatt::store
