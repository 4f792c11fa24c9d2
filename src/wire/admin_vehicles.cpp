// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/admin_json.hpp"

namespace idlewatt::wire {

namespace {

constexpr std::size_t vehicles_max = 200'000;

AdminJson vehicle_json(const EnrolledVehicle& vehicle) {
    return {{"id", vehicle.id.value},
            {"name", vehicle.name},
            {"fleet", text_or_null(vehicle.fleet)},
            {"enrolled_at", base::to_rfc3339(vehicle.enrolled_at)},
            {"paused", vehicle.paused},
            {"draining", vehicle.draining},
            {"revoked_at", time_or_null(vehicle.revoked_at)},
            {"model", text_or_null(vehicle.model)}};
}

EnrolledVehicle read_vehicle(Members& members) {
    EnrolledVehicle vehicle;
    vehicle.id = core::VehicleId(members.id("id", true));
    vehicle.name = members.text("name", core::key_label_bytes_max);
    vehicle.fleet = members.id("fleet");
    vehicle.enrolled_at = members.needed_time("enrolled_at");
    vehicle.paused = members.flag("paused");
    vehicle.draining = members.flag("draining");
    vehicle.revoked_at = members.time("revoked_at");
    vehicle.model = members.model("model");
    return vehicle;
}

}  // namespace

std::string enrolled_vehicle_body(const EnrolledVehicle& vehicle) {
    return dump(vehicle_json(vehicle));
}

base::Result<EnrolledVehicle> parse_enrolled_vehicle(std::string_view body) {
    return parse_admin_answer(body, read_vehicle);
}

std::string enrolled_vehicles_body(const std::vector<EnrolledVehicle>& vehicles) {
    AdminJson rows = AdminJson::array();
    for (const EnrolledVehicle& vehicle : vehicles)
        rows.push_back(vehicle_json(vehicle));
    AdminJson body;
    body["vehicles"] = std::move(rows);
    return dump(body);
}

base::Result<std::vector<EnrolledVehicle>> parse_enrolled_vehicles(std::string_view body) {
    return parse_admin_answer(body, [](Members& members) {
        std::vector<EnrolledVehicle> vehicles;
        members.each("vehicles", vehicles_max,
                     [&](Members& inner) { vehicles.push_back(read_vehicle(inner)); });
        return vehicles;
    });
}

}  // namespace idlewatt::wire
