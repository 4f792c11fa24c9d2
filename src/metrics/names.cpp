// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "metrics/names.hpp"

#include "base/assert.hpp"

namespace idlewatt::metrics {

namespace {

// OpenTelemetry's, and above them what a question may wait for a parked car.
constexpr double request_buckets[] = {.01,  .02,   .04,   .08,   .16,   .32, .64, 1.28, 2.56,
                                      5.12, 10.24, 20.48, 40.96, 81.92, 120, 300, 600};
constexpr double first_token_buckets[] = {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5,
                                          .75,  1,    2.5, 5,   7.5, 10,  30,  60, 120};
constexpr double output_token_buckets[] = {.01, .025, .05, .075, .1, .15, .2,
                                           .3,  .4,   .5,  .75,  1,  2.5};
constexpr double wait_buckets[] = {.001, .01, .1, .5, 1, 2.5, 5, 10, 20, 30};
constexpr double write_buckets[] = {.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5};

constexpr std::string_view operation = "gen_ai_operation_name";
constexpr std::string_view model = "gen_ai_request_model";
constexpr std::string_view error_type = "error_type";

using enum Metric;
using enum Kind;

constexpr Definition table[] = {
    {request_duration,
     histogram,
     "gen_ai_server_request_duration_seconds",
     "From a request's arrival to the end of its answer.",
     {operation, model, error_type},
     request_buckets},
    {time_to_first_token,
     histogram,
     "gen_ai_server_time_to_first_token_seconds",
     "From a request's arrival to its first token.",
     {operation, model},
     first_token_buckets},
    {time_per_output_token,
     histogram,
     "gen_ai_server_time_per_output_token_seconds",
     "Between tokens behind the first, on average over an answer.",
     {operation, model},
     output_token_buckets},
    {tokens,
     counter,
     "idlewatt_tokens_total",
     "Tokens of finished work; type input or output.",
     {"model", "type"},
     {}},
    {requests,
     counter,
     "idlewatt_requests_total",
     "Answered requests, by HTTP status.",
     {"operation", "code"},
     {}},
    {queue_depth, gauge, "idlewatt_queue_depth", "Questions that wait for a car.", {}, {}},
    {open_requests, gauge, "idlewatt_open_requests", "Requests whose answer is not whole.", {}, {}},
    {queue_wait,
     histogram,
     "idlewatt_queue_wait_seconds",
     "What questions waited for a car.",
     {"operation"},
     wait_buckets},
    {resumes,
     counter,
     "idlewatt_resumes_total",
     "Answers that went on at another car.",
     {"reason"},
     {}},
    {preemptions,
     counter,
     "idlewatt_preemptions_total",
     "Attempts that cars gave up.",
     {"reason"},
     {}},
    {hedges,
     counter,
     "idlewatt_hedges_total",
     "Second attempts for a late first token.",
     {"outcome"},
     {}},
    {rejections,
     counter,
     "idlewatt_rejections_total",
     "Requests refused at admission.",
     {"reason"},
     {}},
    {placements,
     counter,
     "idlewatt_placements_total",
     "Choices of a car; affinity or other.",
     {"outcome"},
     {}},
    {key_book_age,
     gauge,
     "idlewatt_key_book_age_seconds",
     "Since the coordinator last confirmed the keys.",
     {},
     {}},
    {announcements,
     counter,
     "idlewatt_announcements_total",
     "What cars said of themselves; taken, or outdated by what they had said.",
     {"outcome"},
     {}},
    {vehicles, gauge, "idlewatt_vehicles", "Cars that a gateway hears, by state.", {"state"}, {}},
    {vehicle_slots,
     gauge,
     "idlewatt_vehicle_slots",
     "Slots of ready cars; free or busy.",
     {"state"},
     {}},
    {vehicles_ineligible,
     gauge,
     "idlewatt_vehicle_ineligible",
     "Cars that do not work, by the reason they give.",
     {"reason"},
     {}},
    {receipts,
     counter,
     "idlewatt_receipts_total",
     "Receipts of cars; stored, known or refused.",
     {"outcome"},
     {}},
    {deliveries,
     counter,
     "idlewatt_deliveries_total",
     "Delivery records of gateways; stored, known or refused.",
     {"outcome"},
     {}},
    {energy,
     counter,
     "idlewatt_energy_joules_total",
     "Energy of stored receipts; source measured or estimated.",
     {"source"},
     {}},
    {enrolments,
     counter,
     "idlewatt_enrolments_total",
     "Cars that asked to enrol.",
     {"outcome"},
     {}},
    {renewals, counter, "idlewatt_renewals_total", "Credentials asked for anew.", {"outcome"}, {}},
    {revocations,
     gauge,
     "idlewatt_revocations",
     "Credentials that are revoked and not yet ended.",
     {},
     {}},
    {blob_bytes,
     counter,
     "idlewatt_blob_bytes_total",
     "Model bytes; in or out.",
     {"direction"},
     {}},
    {assignments,
     gauge,
     "idlewatt_assignments",
     "Cars to which a model is assigned.",
     {"model"},
     {}},
    {store_up, gauge, "idlewatt_store_up", "1 while the database answers.", {}, {}},
    {store_write_duration,
     histogram,
     "idlewatt_store_write_duration_seconds",
     "From a batch of writes to its commit.",
     {},
     write_buckets},
    {bus_connected, gauge, "idlewatt_bus_connected", "1 while connected to NATS.", {}, {}},
    {bus_losses,
     counter,
     "idlewatt_bus_losses_total",
     "Messages lost on this side of NATS.",
     {"kind"},
     {}},
    {http_connections, gauge, "idlewatt_http_connections", "Open connections of clients.", {}, {}},
    {build_info, gauge, "idlewatt_build_info", "Always 1.", {"version", "commit"}, {}},
};

}  // namespace

std::span<const Definition> definitions() {
    return table;
}

const Definition& definition(Metric metric) {
    const auto place = static_cast<std::size_t>(metric);
    IDLEWATT_ASSERT(place < std::size(table) && table[place].metric == metric);
    return table[place];
}

}  // namespace idlewatt::metrics
