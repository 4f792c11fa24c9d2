// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Cars: they enrol with a one-time token; operators pause, resume, drain and revoke them. None of
// these makes a car work.
#include <utility>

#include "base/log.hpp"
#include "coordinator/admin_desk.hpp"
#include "identity/nkey.hpp"
#include "identity/secret.hpp"

namespace idlewatt::coordinator {

using wire::ApiErrorCode;

void AdminDesk::enrol(const http::Request& request) {
    const Id id = request.id;
    if (request.method != "POST")
        return refuse(id, ApiErrorCode::method_not_allowed, "Use POST here.");
    const auto limited =
        enrol_limit_.ask(core::KeyId("enrol"), {enrolments_per_minute, 0, 0}, 0, parts_.loop.now());
    enrol_limit_.ended(core::KeyId("enrol"), 0, 0, parts_.loop.now());
    if (limited.verdict != scheduler::RateVerdict::admitted) {
        const auto error = wire::api_error(ApiErrorCode::rate_limit_exceeded,
                                           "Too many cars enrol at once; try again in a moment.");
        return parts_.server.respond(
            id, {error.http_status(),
                 {{"content-type", "application/json"},
                  {"retry-after", std::to_string(limited.retry_after_s.value_or(1))}},
                 wire::error_body(error)});
    }
    const auto asked = wire::parse_enrol_request(request.body);
    if (!asked)
        return refuse(id, asked.error());
    if (!asked->public_key.starts_with('U') || !identity::decode_public_key(asked->public_key)) {
        return refuse(id, wire::api_error(ApiErrorCode::invalid_value,
                                          "public_key is not a user's NKey: expected 56 letters "
                                          "and digits that begin with U.",
                                          "public_key"));
    }
    const base::WallTime now = parts_.loop.wall_now();
    store::EnrolmentClaim claim{
        identity::sha256_hex(asked->token), asked->public_key, asked->name, {}, now,
        parts_.credentials.expiry(now)};
    if (core::is_id(asked->name))
        claim.ids.emplace_back(asked->name);
    claim.ids.emplace_back("car-" + fresh_id());
    parts_.store.claim_enrolment(std::move(claim),
                                 guarded([this, id](const base::Result<store::Vehicle>& vehicle) {
                                     if (!vehicle)
                                         return refuse(id, vehicle.error());
                                     enrolled(id, *vehicle);
                                 }));
}

void AdminDesk::enrolled(Id id, const store::Vehicle& vehicle) {
    parts_.cars.stored(vehicle);
    base::log_info("coordinator", "car " + vehicle.id.value + " is enrolled" +
                                      (vehicle.fleet.empty() ? "" : " in fleet " + vehicle.fleet));
    const wire::Renewal renewal = parts_.credentials.for_vehicle(vehicle, parts_.loop.wall_now());
    respond(id, 201,
            wire::enrol_answer_body({vehicle.id, options_.cell, options_.nats_urls,
                                     renewal.user_jwt, renewal.membership,
                                     parts_.credentials.account_public_key(), renewal.expires_at}));
}

wire::EnrolledVehicle AdminDesk::row_of(const store::Vehicle& vehicle) const {
    return {vehicle.id,         vehicle.label,
            vehicle.fleet,      vehicle.enrolled_at,
            vehicle.paused,     vehicle.draining,
            vehicle.revoked_at, parts_.placement.placer().assigned_model(vehicle.id)};
}

void AdminDesk::list_vehicles(Id id) {
    if (!parts_.cars.loaded())
        return refuse_unknown(id, {});
    std::vector<wire::EnrolledVehicle> rows;
    for (const store::Vehicle& vehicle : parts_.cars.all())
        rows.push_back(row_of(vehicle));
    respond(id, 200, wire::enrolled_vehicles_body(rows));
}

void AdminDesk::refuse_unknown(Id id, const core::VehicleId& vehicle) {
    if (!parts_.cars.loaded()) {
        return refuse(id, ApiErrorCode::store_unavailable,
                      "The cars are not read from the database yet. Try again soon.");
    }
    parts_.cars.look_again();
    refuse(id, ApiErrorCode::vehicle_not_found, "No car is enrolled as '" + vehicle.value + "'.");
}

void AdminDesk::show_vehicle(Id id, const core::VehicleId& vehicle) {
    const store::Vehicle* const car = parts_.cars.find(vehicle);
    if (car == nullptr)
        return refuse_unknown(id, vehicle);
    respond(id, 200, wire::enrolled_vehicle_body(row_of(*car)));
}

// One after the other: each writes the whole row, and must begin with what the one before made.
void AdminDesk::order(const Call& call) {
    const Id id = call.request.id;
    if (call.verb != "pause" && call.verb != "resume" && call.verb != "drain" &&
        call.verb != "revoke") {
        return refuse(
            id, ApiErrorCode::unknown_path,
            "A car can be told pause, resume, drain and revoke, not '" + call.verb + "'.");
    }
    if (orders_.size() >= vehicle_orders_max) {
        return refuse(id, ApiErrorCode::slow_down,
                      "Too many orders wait for the database; try again in a moment.");
    }
    orders_.push_back({id, core::VehicleId(call.item), call.verb});
    run_orders();
}

void AdminDesk::run_orders() {
    while (!ordering_ && !orders_.empty()) {
        const Order next = orders_.front();
        orders_.pop_front();
        const store::Vehicle* const car = parts_.cars.find(next.vehicle);
        if (car == nullptr) {
            refuse_unknown(next.request, next.vehicle);
            continue;
        }
        store::Vehicle changed = *car;
        if (next.verb == "pause")
            changed.paused = true;
        if (next.verb == "drain")
            changed.draining = true;
        if (next.verb == "resume")
            changed.paused = changed.draining = false;
        if (next.verb == "revoke" && !changed.revoked_at)
            changed.revoked_at = parts_.loop.wall_now();
        ordering_ = true;
        parts_.cars.put(changed, guarded([this, next](const base::Result<void>& done) {
                            ordering_ = false;
                            if (!done) {
                                refuse(next.request, done.error());
                            } else {
                                if (next.verb == "revoke")
                                    parts_.revocations.update(parts_.cars.revoked());
                                parts_.placement.touch(next.vehicle);
                                show_vehicle(next.request, next.vehicle);
                            }
                            run_orders();
                        }));
    }
}

}  // namespace idlewatt::coordinator
