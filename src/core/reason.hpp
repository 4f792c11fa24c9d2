// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Why a car works or does not: one closed list, shared by API, command line, page and metrics.
// The table with a sentence for the owner stands in api/reasons.toml; reason_test compares both.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace idlewatt::core {

enum class Reason {
    // recall: kill at once
    no_consent,
    paused_by_owner,
    occupied,
    driving,
    not_parked,
    not_plugged_in,
    charge_unknown,
    signal_missing,
    signal_stale,
    charge_below_floor,
    battery_too_hot,
    compute_too_hot,
    low_12v_battery,
    vehicle_fault,
    clock_unsure,
    // drain: foreseen; take no new work, hand over, then stop
    charge_below_reserve,
    charge_needed,
    departure_soon,
    outside_schedule,
    place_not_allowed,
    price_above_limit,
    carbon_above_limit,
    not_worth_it,
    grid_event,
    battery_too_cold,
    network_metered,
    update_in_progress,
    paused_by_operator,
    audit_hold,
    storage_full,
    // state of the service
    ok,
    starting,
    draining,
    no_model,
    engine_failed,
    unreachable,
};

enum class ReasonKind { recall, drain, service };

struct ReasonInfo {
    Reason reason;
    std::string_view name;
    ReasonKind kind;
    std::string_view sentence;    // for the owner
    std::string_view source;      // where it comes from
    std::string_view cleared_by;  // who can clear it
};

[[nodiscard]] std::span<const ReasonInfo> reason_table();
[[nodiscard]] const ReasonInfo& info(Reason reason);
[[nodiscard]] std::string_view name(Reason reason);
[[nodiscard]] std::optional<Reason> find_reason(std::string_view name);

}  // namespace idlewatt::core
