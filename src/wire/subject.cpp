// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/subject.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/assert.hpp"

namespace idlewatt::wire {

namespace {

std::string of(const std::string& cell, std::string_view family, std::string_view id,
               std::string_view rest) {
    IDLEWATT_ASSERT(core::is_id(cell));
    std::string subject;
    subject.reserve(8 + cell.size() + id.size() + rest.size());
    subject.append("iw.").append(cell).append(family).append(id).append(".").append(rest);
    return subject;
}

std::string of_vehicle(const std::string& cell, std::string_view vehicle, std::string_view rest) {
    return of(cell, ".v.", vehicle, rest);
}

std::string of_gateway(const std::string& cell, std::string_view gateway, std::string_view rest) {
    return of(cell, ".g.", gateway, rest);
}

std::string of_coordinator(const std::string& cell, std::string_view rest) {
    return of(cell, ".", "coordinator", rest);
}

// Ids reach subjects only checked: a dot or a wildcard in one would change who hears it.
const std::string& token(const std::string& id) {
    IDLEWATT_ASSERT(core::is_id(id));
    return id;
}

constexpr std::size_t tokens_max = 8;

struct Tokens {
    std::array<std::string_view, tokens_max> text;
    std::size_t count = 0;
};

// nullopt when it is no subject of this family: iw.<cell>.<v|g>.<id>.<kind>[.…]
std::optional<Tokens> split(std::string_view subject, std::string_view family = "v") {
    Tokens tokens;
    while (true) {
        if (tokens.count == tokens_max)
            return std::nullopt;
        const std::size_t dot = subject.find('.');
        tokens.text.at(tokens.count++) = subject.substr(0, dot);
        if (dot == std::string_view::npos)
            break;
        subject.remove_prefix(dot + 1);
    }
    if (tokens.count < 5 || tokens.text[0] != "iw" || tokens.text[2] != family)
        return std::nullopt;
    if (!core::is_id(tokens.text[1]) || !core::is_id(tokens.text[3]))
        return std::nullopt;
    return tokens;
}

std::optional<core::Incarnation> parse_incarnation(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    if (text.size() > 1 && text.front() == '0')
        return std::nullopt;
    return core::Incarnation(value);
}

}  // namespace

std::string Subjects::announce(const core::VehicleId& vehicle) const {
    return of_vehicle(cell, token(vehicle.value), "announce");
}

std::string Subjects::receipts(const core::VehicleId& vehicle) const {
    return of_vehicle(cell, token(vehicle.value), "receipts");
}

std::string Subjects::signal_order(const core::VehicleId& vehicle) const {
    return of_vehicle(cell, token(vehicle.value), "order.signal");
}

std::string Subjects::in(const core::VehicleId& vehicle, core::Incarnation incarnation,
                         const core::AttemptId& attempt) const {
    // Twice for each answer, so without pieces of it in between.
    std::array<char, 20> digits{};
    const char* const end =
        std::to_chars(digits.data(), digits.data() + digits.size(), incarnation.value).ptr;
    const std::string_view number(digits.data(), static_cast<std::size_t>(end - digits.data()));
    IDLEWATT_ASSERT(core::is_id(cell));
    std::string subject;
    subject.reserve(16 + cell.size() + vehicle.value.size() + number.size() + attempt.value.size());
    subject.append("iw.").append(cell).append(".v.").append(token(vehicle.value)).append(".in.");
    subject.append(number).append(".").append(token(attempt.value));
    return subject;
}

std::string Subjects::out(const core::VehicleId& vehicle, const core::GatewayId& gateway,
                          core::Incarnation incarnation, const core::AttemptId& attempt) const {
    return of_vehicle(cell, token(vehicle.value),
                      "out." + token(gateway.value) + "." + std::to_string(incarnation.value) +
                          "." + token(attempt.value));
}

std::string Subjects::assignment(const core::VehicleId& vehicle) const {
    return of_vehicle(cell, token(vehicle.value), "assignment");
}

std::string Subjects::renew(const core::VehicleId& vehicle) const {
    return of_vehicle(cell, token(vehicle.value), "renew");
}

std::string Subjects::assignment_order(const core::VehicleId& vehicle) const {
    return of_vehicle(cell, token(vehicle.value), "order.assignment");
}

std::string Subjects::deliveries(const core::GatewayId& gateway) const {
    return of_gateway(cell, token(gateway.value), "deliveries");
}

std::string Subjects::demand(const core::GatewayId& gateway) const {
    return of_gateway(cell, token(gateway.value), "demand");
}

std::string Subjects::batch(const core::GatewayId& gateway) const {
    return of_gateway(cell, token(gateway.value), "batch");
}

std::string Subjects::batch_result(const core::GatewayId& gateway) const {
    return of_gateway(cell, token(gateway.value), "batch_result");
}

std::string Subjects::coordinator_keys() const {
    return of_coordinator(cell, "keys");
}

std::string Subjects::coordinator_changed() const {
    return of_coordinator(cell, "changed");
}

std::string Subjects::coordinator_totals() const {
    return of_coordinator(cell, "totals");
}

std::string Subjects::all_announcements() const {
    return of_vehicle(cell, "*", "announce");
}

std::string Subjects::all_receipts() const {
    return of_vehicle(cell, "*", "receipts");
}

std::string Subjects::all_assignments() const {
    return of_vehicle(cell, "*", "assignment");
}

std::string Subjects::all_renewals() const {
    return of_vehicle(cell, "*", "renew");
}

std::string Subjects::all_deliveries() const {
    return of_gateway(cell, "*", "deliveries");
}

std::string Subjects::all_demands() const {
    return of_gateway(cell, "*", "demand");
}

std::string Subjects::all_batch_asks() const {
    return of_gateway(cell, "*", "batch");
}

std::string Subjects::all_batch_results() const {
    return of_gateway(cell, "*", "batch_result");
}

std::string Subjects::all_in(const core::VehicleId& vehicle, core::Incarnation incarnation) const {
    return of_vehicle(cell, token(vehicle.value), "in." + std::to_string(incarnation.value) + ".*");
}

std::string Subjects::all_out(const core::GatewayId& gateway) const {
    return of_vehicle(cell, "*", "out." + token(gateway.value) + ".*.*");
}

std::vector<std::string> Subjects::vehicle_may_publish(const core::VehicleId& vehicle) const {
    return {announce(vehicle), receipts(vehicle), assignment(vehicle), renew(vehicle),
            of_vehicle(cell, token(vehicle.value), "out.>")};
}

std::vector<std::string> Subjects::vehicle_may_subscribe(const core::VehicleId& vehicle) const {
    return {of_vehicle(cell, token(vehicle.value), "in.>"),
            of_vehicle(cell, token(vehicle.value), "order.>"),
            "_INBOX_" + token(vehicle.value) + ".>"};
}

// Signals are an operator's order that comes in at a gateway; assignments are the coordinator's.
std::vector<std::string> Subjects::gateway_may_publish(const core::GatewayId& gateway) const {
    return {of_vehicle(cell, "*", "in.>"),
            of_vehicle(cell, "*", "order.signal"),
            deliveries(gateway),
            demand(gateway),
            batch(gateway),
            batch_result(gateway),
            coordinator_keys(),
            coordinator_totals()};
}

std::vector<std::string> Subjects::gateway_may_subscribe(const core::GatewayId& gateway) const {
    return {all_announcements(), of_vehicle(cell, "*", "out." + token(gateway.value) + ".>"),
            coordinator_changed(), "_INBOX_" + bus_name(gateway) + ".>"};
}

std::string bus_name(const core::GatewayId& gateway) {
    return "G_" + token(gateway.value);
}

std::optional<OutAddress> parse_out(std::string_view subject) {
    const std::optional<Tokens> tokens = split(subject);
    if (!tokens || tokens->count != 8 || tokens->text[4] != "out")
        return std::nullopt;
    const std::optional<core::Incarnation> incarnation = parse_incarnation(tokens->text[6]);
    if (!incarnation || !core::is_id(tokens->text[5]) || !core::is_id(tokens->text[7])) {
        return std::nullopt;
    }
    return OutAddress{core::VehicleId(std::string(tokens->text[3])), *incarnation,
                      core::AttemptId(std::string(tokens->text[7]))};
}

std::optional<core::AttemptId> parse_in(std::string_view subject) {
    const std::optional<Tokens> tokens = split(subject);
    if (!tokens || tokens->count != 7 || tokens->text[4] != "in")
        return std::nullopt;
    if (!parse_incarnation(tokens->text[5]) || !core::is_id(tokens->text[6]))
        return std::nullopt;
    return core::AttemptId(std::string(tokens->text[6]));
}

std::optional<core::VehicleId> parse_vehicle(std::string_view subject) {
    const std::optional<Tokens> tokens = split(subject);
    if (!tokens || tokens->count != 5)
        return std::nullopt;
    constexpr std::array<std::string_view, 4> kinds{"announce", "receipts", "assignment", "renew"};
    if (std::ranges::find(kinds, tokens->text[4]) == kinds.end())
        return std::nullopt;
    return core::VehicleId(std::string(tokens->text[3]));
}

std::optional<core::GatewayId> parse_gateway(std::string_view subject) {
    const std::optional<Tokens> tokens = split(subject, "g");
    if (!tokens || tokens->count != 5)
        return std::nullopt;
    constexpr std::array<std::string_view, 4> kinds{"deliveries", "demand", "batch",
                                                    "batch_result"};
    if (std::ranges::find(kinds, tokens->text[4]) == kinds.end())
        return std::nullopt;
    return core::GatewayId(std::string(tokens->text[3]));
}

}  // namespace idlewatt::wire
