// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The fleet as JSON text for /api/v1: what a gateway knows of its cars and of its own work, and an
// operator's orders. Hides nlohmann-json. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "core/announcement.hpp"
#include "wire/wire.hpp"

namespace idlewatt::wire {

struct VehicleRow {
    core::Announcement announcement;
    core::Reason reason = core::Reason::unreachable;  // as the gateway sees it
    std::uint32_t active_requests = 0;                // attempts that the gateway has open on it
    base::Duration age;                               // since the last announcement
};
[[nodiscard]] std::string vehicles_body(const std::vector<VehicleRow>& rows);
[[nodiscard]] base::Result<std::vector<VehicleRow>> parse_vehicles_body(std::string_view body);

// Counts since the gateway started.
struct GatewayFigures {
    std::uint64_t requests_started = 0;
    std::uint64_t requests_completed = 0;
    std::uint64_t requests_failed = 0;              // ended by an error of ours
    std::uint64_t requests_failed_no_capacity = 0;  // no car came in time; not in failed
    std::uint64_t requests_cancelled = 0;           // the client went away first
    std::uint64_t requests_rejected = 0;            // refused at the door: 4xx and 429
    std::uint64_t requests_waiting = 0;             // now
    std::uint64_t requests_running = 0;             // now
    std::uint64_t tokens_delivered = 0;
    std::uint64_t attempts = 0;
    std::uint64_t migrations = 0;
    std::uint64_t messages_resent = 0;      // repetitions asked for after a gap
    std::vector<double> migration_gaps_ms;  // the last migration_gaps_max of them
};
inline constexpr std::size_t migration_gaps_max = 10'000;
[[nodiscard]] std::string figures_body(const GatewayFigures& figures);
[[nodiscard]] base::Result<GatewayFigures> parse_figures_body(std::string_view body);

// {"occupied": true, "state_of_charge_percent": 17.5, "locked": "missing"}
[[nodiscard]] base::Result<SignalOverride> parse_signal_order(std::string_view body);
[[nodiscard]] std::string signal_order_body(const SignalOverride& order);

}  // namespace idlewatt::wire
