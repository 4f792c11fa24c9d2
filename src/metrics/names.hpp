// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The one table of metrics: what /metrics may say, with labels and buckets. The gen_ai_* names are
// OpenTelemetry's, translated to Prometheus; they are still being renamed there, so they stand here
// and nowhere else. No label may hold what grows with the fleet or with its users (vehicle, owner,
// request); label values beyond series_max become "other".
//
// Units: seconds, bytes, joules, counts; ratios 0..1.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace idlewatt::metrics {

enum class Metric {
    // gateway
    request_duration,       // by operation, model, error
    time_to_first_token,    // by operation, model
    time_per_output_token,  // by operation, model
    tokens,                 // by model, type
    requests,               // by operation, code
    queue_depth,            //
    open_requests,          //
    queue_wait,             // by operation
    resumes,                // by reason
    preemptions,            // by reason
    hedges,                 // by outcome
    rejections,             // by reason
    placements,             // by outcome
    key_book_age,           //
    announcements,          // by outcome
    vehicles,               // by state
    vehicle_slots,          // by state
    vehicles_ineligible,    // by reason
    // coordinator
    receipts,              // by outcome
    deliveries,            // by outcome
    energy,                // by source
    enrolments,            // by outcome
    renewals,              // by outcome
    revocations,           //
    blob_bytes,            // by direction
    assignments,           // by model
    store_up,              //
    store_write_duration,  //
    // every program
    bus_connected,     //
    bus_losses,        // by kind
    http_connections,  //
    build_info,        // by version, commit
};

enum class Kind { counter, gauge, histogram };

inline constexpr std::size_t labels_max = 3;
// Of one metric. Whatever comes above is added up under "other".
inline constexpr std::size_t series_max = 256;
inline constexpr std::size_t label_value_bytes_max = 128;

struct Definition {
    Metric metric;
    Kind kind;
    std::string_view name;
    std::string_view help;
    std::array<std::string_view, labels_max> labels;  // unused ones are empty
    std::span<const double> buckets;                  // of a histogram
};

[[nodiscard]] std::span<const Definition> definitions();
[[nodiscard]] const Definition& definition(Metric metric);

}  // namespace idlewatt::metrics
