// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The names of conversations on the bus. A car may publish only in its own name (announce,
// receipts, assignment, renew, below out) and may subscribe only to in and order of its own name. A
// gateway hears what cars say to it alone, and speaks to the coordinator only in its own name.
//
//   iw.<cell>.v.<vehicle>.announce                                 car ▶ gateways, coordinator
//   iw.<cell>.v.<vehicle>.receipts                                 car ▶ coordinator (request)
//   iw.<cell>.v.<vehicle>.order.signal                             gateway ▶ car (request)
//   iw.<cell>.v.<vehicle>.in.<incarnation>.<attempt>               gateway ▶ car
//   iw.<cell>.v.<vehicle>.out.<gateway>.<incarnation>.<attempt>    car ▶ one gateway
//   iw.<cell>.v.<vehicle>.assignment                               car ▶ coordinator (request)
//   iw.<cell>.v.<vehicle>.renew                                    car ▶ coordinator (request)
//   iw.<cell>.v.<vehicle>.order.assignment                         coordinator ▶ car: ask now
//   iw.<cell>.g.<gateway>.deliveries                               gateway ▶ coordinator (request)
//   iw.<cell>.g.<gateway>.demand                                   gateway ▶ coordinator
//   iw.<cell>.g.<gateway>.batch                                    gateway ▶ coordinator (request)
//   iw.<cell>.g.<gateway>.batch_result                             gateway ▶ coordinator (request)
//   iw.<cell>.coordinator.keys                                     gateway ▶ coordinator (request)
//   iw.<cell>.coordinator.changed                                  coordinator ▶ gateways: ask now
//   iw.<cell>.coordinator.totals                                   anyone ▶ coordinator (request)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/id.hpp"

namespace idlewatt::wire {

struct Subjects {
    std::string cell;

    [[nodiscard]] std::string announce(const core::VehicleId& vehicle) const;
    [[nodiscard]] std::string receipts(const core::VehicleId& vehicle) const;
    [[nodiscard]] std::string signal_order(const core::VehicleId& vehicle) const;
    [[nodiscard]] std::string in(const core::VehicleId& vehicle, core::Incarnation incarnation,
                                 const core::AttemptId& attempt) const;
    [[nodiscard]] std::string out(const core::VehicleId& vehicle, const core::GatewayId& gateway,
                                  core::Incarnation incarnation,
                                  const core::AttemptId& attempt) const;
    [[nodiscard]] std::string assignment(const core::VehicleId& vehicle) const;
    [[nodiscard]] std::string renew(const core::VehicleId& vehicle) const;
    [[nodiscard]] std::string assignment_order(const core::VehicleId& vehicle) const;
    [[nodiscard]] std::string deliveries(const core::GatewayId& gateway) const;
    [[nodiscard]] std::string demand(const core::GatewayId& gateway) const;
    [[nodiscard]] std::string batch(const core::GatewayId& gateway) const;
    [[nodiscard]] std::string batch_result(const core::GatewayId& gateway) const;
    [[nodiscard]] std::string coordinator_keys() const;
    [[nodiscard]] std::string coordinator_changed() const;
    [[nodiscard]] std::string coordinator_totals() const;

    // For subscriptions.
    [[nodiscard]] std::string all_announcements() const;
    [[nodiscard]] std::string all_receipts() const;
    [[nodiscard]] std::string all_assignments() const;
    [[nodiscard]] std::string all_renewals() const;
    [[nodiscard]] std::string all_deliveries() const;
    [[nodiscard]] std::string all_demands() const;
    [[nodiscard]] std::string all_batch_asks() const;
    [[nodiscard]] std::string all_batch_results() const;
    [[nodiscard]] std::string all_in(const core::VehicleId& vehicle,
                                     core::Incarnation incarnation) const;
    [[nodiscard]] std::string all_out(const core::GatewayId& gateway) const;

    // What a car's credentials allow; its inbox is _INBOX_<vehicle>.>
    [[nodiscard]] std::vector<std::string> vehicle_may_publish(
        const core::VehicleId& vehicle) const;
    [[nodiscard]] std::vector<std::string> vehicle_may_subscribe(
        const core::VehicleId& vehicle) const;
    // What a gateway's credentials allow; its inbox is _INBOX_<bus_name(gateway)>.>
    [[nodiscard]] std::vector<std::string> gateway_may_publish(
        const core::GatewayId& gateway) const;
    [[nodiscard]] std::vector<std::string> gateway_may_subscribe(
        const core::GatewayId& gateway) const;
};

// What a gateway is called on the bus. Not its bare id: a car of the same id would hear its inbox.
[[nodiscard]] std::string bus_name(const core::GatewayId& gateway);

// Who speaks, from the subject: the server has checked it against the credentials.
struct OutAddress {
    core::VehicleId vehicle;
    core::Incarnation incarnation;
    core::AttemptId attempt;
};
[[nodiscard]] std::optional<OutAddress> parse_out(std::string_view subject);
[[nodiscard]] std::optional<core::AttemptId> parse_in(std::string_view subject);
// The vehicle of an announce, receipts, assignment or renew subject.
[[nodiscard]] std::optional<core::VehicleId> parse_vehicle(std::string_view subject);
// The gateway of a deliveries, demand, batch or batch_result subject.
[[nodiscard]] std::optional<core::GatewayId> parse_gateway(std::string_view subject);

}  // namespace idlewatt::wire
