// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "core/reason.hpp"

#include <array>

#include "base/assert.hpp"

namespace idlewatt::core {

namespace {

using enum Reason;
using enum ReasonKind;

// clang-format off: one row a reason, in the order of the enumeration
constexpr std::array table{
    ReasonInfo{no_consent, "no_consent", recall,
               "The owner has not agreed to computing on this car.", "owner settings", "owner"},
    ReasonInfo{paused_by_owner, "paused_by_owner", recall,
               "The owner has paused computing on this car.", "owner settings", "owner"},
    ReasonInfo{occupied, "occupied", recall, "Somebody is in the car or about to get in.",
               "signal occupied", "leaving the car"},
    ReasonInfo{driving, "driving", recall, "The car is moving.", "signal moving",
               "parking the car"},
    ReasonInfo{not_parked, "not_parked", recall, "The car is not in park.", "signal parked",
               "parking the car"},
    ReasonInfo{not_plugged_in, "not_plugged_in", recall, "The charging cable is not connected.",
               "signal plugged_in", "plugging in"},
    ReasonInfo{charge_unknown, "charge_unknown", recall, "The battery's charge is not known.",
               "signal state_of_charge_percent", "the car's next reading"},
    ReasonInfo{signal_missing, "signal_missing", recall,
               "The car does not report a signal that is needed to be sure.", "any signal",
               "the car's next reading"},
    ReasonInfo{signal_stale, "signal_stale", recall,
               "The car's last report is too old to be trusted.", "any signal",
               "the car's next reading"},
    ReasonInfo{charge_below_floor, "charge_below_floor", recall,
               "The battery is below the owner's floor.", "signal state_of_charge_percent",
               "charging"},
    ReasonInfo{battery_too_hot, "battery_too_hot", recall, "The battery is too hot.",
               "battery temperature", "cooling down"},
    ReasonInfo{compute_too_hot, "compute_too_hot", recall, "The car's computer is too hot.",
               "computer temperature", "cooling down"},
    ReasonInfo{low_12v_battery, "low_12v_battery", recall, "The 12 V battery is low.",
               "12 V voltage", "charging"},
    ReasonInfo{vehicle_fault, "vehicle_fault", recall, "The car reports a fault.",
               "vehicle diagnosis", "service"},
    ReasonInfo{clock_unsure, "clock_unsure", recall,
               "The car's clock disagrees with its signals, so their age is not known.", "clocks",
               "the clock being set"},
    ReasonInfo{charge_below_reserve, "charge_below_reserve", drain,
               "The battery is below the owner's reserve.", "signal state_of_charge_percent",
               "charging"},
    ReasonInfo{charge_needed, "charge_needed", drain,
               "The battery needs all power to be ready in time.", "charge plan", "charging"},
    ReasonInfo{departure_soon, "departure_soon", drain, "The car is expected to leave soon.",
               "stay forecast", "owner"},
    ReasonInfo{outside_schedule, "outside_schedule", drain,
               "The owner does not want computing at this hour.", "owner settings", "owner"},
    ReasonInfo{place_not_allowed, "place_not_allowed", drain,
               "The owner does not want computing at this place.", "owner settings", "owner"},
    ReasonInfo{price_above_limit, "price_above_limit", drain,
               "Electricity costs more than the owner's limit.", "price", "a lower price"},
    ReasonInfo{carbon_above_limit, "carbon_above_limit", drain,
               "Electricity is dirtier than the owner's limit.", "grid carbon", "cleaner power"},
    ReasonInfo{not_worth_it, "not_worth_it", drain, "Work would pay less than it costs.",
               "economics", "better prices"},
    ReasonInfo{grid_event, "grid_event", drain, "The grid asks to use less power.", "grid operator",
               "end of the event"},
    ReasonInfo{battery_too_cold, "battery_too_cold", drain, "The battery is too cold.",
               "battery temperature", "warming up"},
    ReasonInfo{network_metered, "network_metered", drain, "Only a metered network is in reach.",
               "network", "Wi-Fi"},
    ReasonInfo{update_in_progress, "update_in_progress", drain, "The car is installing an update.",
               "vehicle", "end of the update"},
    ReasonInfo{paused_by_operator, "paused_by_operator", drain,
               "The fleet operator has paused this car.", "operator", "operator"},
    ReasonInfo{audit_hold, "audit_hold", drain, "Answers of this car are being checked.", "audit",
               "operator"},
    ReasonInfo{storage_full, "storage_full", drain, "The car has no room left to keep its records.",
               "disk", "freeing space"},
    ReasonInfo{ok, "ok", service, "The car is ready and may work.", "policy", "nobody needs to"},
    ReasonInfo{starting, "starting", service, "The model is being loaded.", "engine", "waiting"},
    ReasonInfo{draining, "draining", service, "The car hands over its work and takes no more.",
               "agent", "waiting"},
    ReasonInfo{no_model, "no_model", service, "No model is placed on this car.", "placement",
               "operator"},
    ReasonInfo{engine_failed, "engine_failed", service,
               "The inference engine failed and is being restarted.", "engine", "waiting"},
    ReasonInfo{unreachable, "unreachable", service, "Nothing has been heard from the car.",
               "gateway", "the car's next announcement"},
};
// clang-format on

}  // namespace

std::span<const ReasonInfo> reason_table() {
    return table;
}

const ReasonInfo& info(Reason reason) {
    const ReasonInfo& found = table.at(static_cast<std::size_t>(reason));
    IDLEWATT_ASSERT(found.reason == reason);
    return found;
}

std::string_view name(Reason reason) {
    return info(reason).name;
}

std::optional<Reason> find_reason(std::string_view name) {
    for (const ReasonInfo& row : table) {
        if (row.name == name)
            return row.reason;
    }
    return std::nullopt;
}

}  // namespace idlewatt::core
