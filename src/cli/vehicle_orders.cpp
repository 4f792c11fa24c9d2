// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/vehicle_orders.hpp"

#include <array>

#include "cli/columns.hpp"
#include "core/id.hpp"
#include "wire/admin.hpp"

namespace idlewatt::cli {

namespace {

std::string state_of(const wire::EnrolledVehicle& vehicle) {
    if (vehicle.revoked_at)
        return "revoked";
    if (vehicle.draining)
        return "draining";
    return vehicle.paused ? "paused" : "enrolled";
}

}  // namespace

std::string_view name(VehicleOrder order) {
    constexpr std::array<std::string_view, 4> names{"pause", "resume", "drain", "revoke"};
    return names[static_cast<std::size_t>(order)];
}

ExitCode vehicle_order(const Connection& connection, const std::string& id, VehicleOrder order,
                       const Output& output) {
    if (!core::is_id(id)) {
        return report_error(
            {base::ErrorKind::bad_input,
             "'" + id + "' is no name of a vehicle: 1 to 64 of a-z, 0-9, '_' and '-'"},
            output.json, output.err);
    }
    const auto row =
        ask_for(connection, {"POST", "/api/v1/vehicles/" + id + "/" + std::string(name(order))},
                output, wire::parse_enrolled_vehicle);
    if (!row)
        return row.error();
    if (output.json)
        output.out << wire::enrolled_vehicle_body(*row) << '\n';
    else
        output.err << id << ": asked to " << name(order) << "; it is " << state_of(*row)
                   << ". `idlewatt vehicle why " << id << "` shows when it has followed.\n";
    return ExitCode::ok;
}

ExitCode enrolled_ls(const Connection& connection, const Output& output) {
    const auto rows =
        ask_for(connection, {"GET", "/api/v1/vehicles"}, output, wire::parse_enrolled_vehicles);
    if (!rows)
        return rows.error();
    if (output.json) {
        output.out << wire::enrolled_vehicles_body(*rows) << '\n';
        return ExitCode::ok;
    }
    if (rows->empty()) {
        output.err << "no car has enrolled\nnext: idlewatt vehicle token create\n";
        return ExitCode::ok;
    }
    std::vector<std::vector<std::string>> lines{
        {"VEHICLE", "STATE", "FLEET", "MODEL", "ENROLLED", "NAME"}};
    for (const wire::EnrolledVehicle& row : *rows) {
        lines.push_back({row.id.value, state_of(row), row.fleet.empty() ? "-" : row.fleet,
                         row.model.empty() ? "-" : row.model, time_text(row.enrolled_at),
                         row.name});
    }
    print_columns(lines, output.out);
    return ExitCode::ok;
}

}  // namespace idlewatt::cli
