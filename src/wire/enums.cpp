// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/enums.hpp"

#include <array>

#include "base/assert.hpp"

namespace idlewatt::wire {

namespace {

template <class Ours, class Theirs>
struct Pair {
    Ours ours;
    Theirs theirs;
};
// Said for clang 14.
template <class Ours, class Theirs>
Pair(Ours, Theirs) -> Pair<Ours, Theirs>;

constexpr std::array reasons{
    Pair{core::Reason::no_consent, v1::REASON_NO_CONSENT},
    Pair{core::Reason::paused_by_owner, v1::REASON_PAUSED_BY_OWNER},
    Pair{core::Reason::occupied, v1::REASON_OCCUPIED},
    Pair{core::Reason::driving, v1::REASON_DRIVING},
    Pair{core::Reason::not_parked, v1::REASON_NOT_PARKED},
    Pair{core::Reason::not_plugged_in, v1::REASON_NOT_PLUGGED_IN},
    Pair{core::Reason::charge_unknown, v1::REASON_CHARGE_UNKNOWN},
    Pair{core::Reason::signal_missing, v1::REASON_SIGNAL_MISSING},
    Pair{core::Reason::signal_stale, v1::REASON_SIGNAL_STALE},
    Pair{core::Reason::charge_below_floor, v1::REASON_CHARGE_BELOW_FLOOR},
    Pair{core::Reason::battery_too_hot, v1::REASON_BATTERY_TOO_HOT},
    Pair{core::Reason::compute_too_hot, v1::REASON_COMPUTE_TOO_HOT},
    Pair{core::Reason::low_12v_battery, v1::REASON_LOW_12V_BATTERY},
    Pair{core::Reason::vehicle_fault, v1::REASON_VEHICLE_FAULT},
    Pair{core::Reason::clock_unsure, v1::REASON_CLOCK_UNSURE},
    Pair{core::Reason::charge_below_reserve, v1::REASON_CHARGE_BELOW_RESERVE},
    Pair{core::Reason::charge_needed, v1::REASON_CHARGE_NEEDED},
    Pair{core::Reason::departure_soon, v1::REASON_DEPARTURE_SOON},
    Pair{core::Reason::outside_schedule, v1::REASON_OUTSIDE_SCHEDULE},
    Pair{core::Reason::place_not_allowed, v1::REASON_PLACE_NOT_ALLOWED},
    Pair{core::Reason::price_above_limit, v1::REASON_PRICE_ABOVE_LIMIT},
    Pair{core::Reason::carbon_above_limit, v1::REASON_CARBON_ABOVE_LIMIT},
    Pair{core::Reason::not_worth_it, v1::REASON_NOT_WORTH_IT},
    Pair{core::Reason::grid_event, v1::REASON_GRID_EVENT},
    Pair{core::Reason::battery_too_cold, v1::REASON_BATTERY_TOO_COLD},
    Pair{core::Reason::network_metered, v1::REASON_NETWORK_METERED},
    Pair{core::Reason::update_in_progress, v1::REASON_UPDATE_IN_PROGRESS},
    Pair{core::Reason::paused_by_operator, v1::REASON_PAUSED_BY_OPERATOR},
    Pair{core::Reason::audit_hold, v1::REASON_AUDIT_HOLD},
    Pair{core::Reason::storage_full, v1::REASON_STORAGE_FULL},
    Pair{core::Reason::ok, v1::REASON_OK},
    Pair{core::Reason::starting, v1::REASON_STARTING},
    Pair{core::Reason::draining, v1::REASON_DRAINING},
    Pair{core::Reason::no_model, v1::REASON_NO_MODEL},
    Pair{core::Reason::engine_failed, v1::REASON_ENGINE_FAILED},
    Pair{core::Reason::unreachable, v1::REASON_UNREACHABLE},
};

constexpr std::array finish_reasons{
    Pair{core::FinishReason::stop, v1::FINISH_REASON_STOP},
    Pair{core::FinishReason::length, v1::FINISH_REASON_LENGTH},
    Pair{core::FinishReason::tool_calls, v1::FINISH_REASON_TOOL_CALLS},
};

constexpr std::array tasks{
    Pair{core::Task::chat, v1::TASK_CHAT},
    Pair{core::Task::completion, v1::TASK_COMPLETION},
    Pair{core::Task::embedding, v1::TASK_EMBEDDING},
};

constexpr std::array attempt_ends{
    Pair{core::AttemptEnd::finished, v1::ATTEMPT_END_FINISHED},
    Pair{core::AttemptEnd::cancelled, v1::ATTEMPT_END_CANCELLED},
    Pair{core::AttemptEnd::recalled, v1::ATTEMPT_END_RECALLED},
    Pair{core::AttemptEnd::drained, v1::ATTEMPT_END_DRAINED},
    Pair{core::AttemptEnd::lease_expired, v1::ATTEMPT_END_LEASE_EXPIRED},
    Pair{core::AttemptEnd::engine_failed, v1::ATTEMPT_END_ENGINE_FAILED},
    Pair{core::AttemptEnd::interrupted, v1::ATTEMPT_END_INTERRUPTED},
};

constexpr std::array signals{
    Pair{core::SignalId::occupied, v1::SIGNAL_OCCUPIED},
    Pair{core::SignalId::parked, v1::SIGNAL_PARKED},
    Pair{core::SignalId::moving, v1::SIGNAL_MOVING},
    Pair{core::SignalId::plugged_in, v1::SIGNAL_PLUGGED_IN},
    Pair{core::SignalId::locked, v1::SIGNAL_LOCKED},
    Pair{core::SignalId::state_of_charge_percent, v1::SIGNAL_STATE_OF_CHARGE_PERCENT},
    Pair{core::SignalId::ready_to_drive, v1::SIGNAL_READY_TO_DRIVE},
    Pair{core::SignalId::door_open, v1::SIGNAL_DOOR_OPEN},
    Pair{core::SignalId::broken_down, v1::SIGNAL_BROKEN_DOWN},
    Pair{core::SignalId::updating, v1::SIGNAL_UPDATING},
    Pair{core::SignalId::charging, v1::SIGNAL_CHARGING},
    Pair{core::SignalId::network_metered, v1::SIGNAL_NETWORK_METERED},
    Pair{core::SignalId::grid_event, v1::SIGNAL_GRID_EVENT},
    Pair{core::SignalId::charge_limit_percent, v1::SIGNAL_CHARGE_LIMIT_PERCENT},
    Pair{core::SignalId::battery_capacity_kwh, v1::SIGNAL_BATTERY_CAPACITY_KWH},
    Pair{core::SignalId::range_km, v1::SIGNAL_RANGE_KM},
    Pair{core::SignalId::battery_power_w, v1::SIGNAL_BATTERY_POWER_W},
    Pair{core::SignalId::charger_power_w, v1::SIGNAL_CHARGER_POWER_W},
    Pair{core::SignalId::battery_temperature_c, v1::SIGNAL_BATTERY_TEMPERATURE_C},
    Pair{core::SignalId::compute_temperature_c, v1::SIGNAL_COMPUTE_TEMPERATURE_C},
    Pair{core::SignalId::low_voltage_v, v1::SIGNAL_LOW_VOLTAGE_V},
    Pair{core::SignalId::price_usd_per_kwh, v1::SIGNAL_PRICE_USD_PER_KWH},
    Pair{core::SignalId::carbon_g_per_kwh, v1::SIGNAL_CARBON_G_PER_KWH},
    Pair{core::SignalId::latitude_deg, v1::SIGNAL_LATITUDE_DEG},
    Pair{core::SignalId::longitude_deg, v1::SIGNAL_LONGITUDE_DEG},
    Pair{core::SignalId::departure_unix_s, v1::SIGNAL_DEPARTURE_UNIX_S},
};
static_assert(signals.size() == core::signal_count);

constexpr std::array key_roles{
    Pair{core::KeyRole::customer, v1::KEY_ROLE_CUSTOMER},
    Pair{core::KeyRole::fleet_operator, v1::KEY_ROLE_OPERATOR},
    Pair{core::KeyRole::analyst, v1::KEY_ROLE_ANALYST},
};

constexpr std::array data_classes{
    Pair{core::DataClass::any_car, v1::DATA_CLASS_PUBLIC},
    Pair{core::DataClass::own_fleet, v1::DATA_CLASS_OWN_FLEET},
    Pair{core::DataClass::refuse, v1::DATA_CLASS_REFUSE},
};

template <class Table, class Ours>
auto find_theirs(const Table& table, Ours ours) {
    for (const auto& pair : table) {
        if (pair.ours == ours)
            return pair.theirs;
    }
    base::assertion_failed("every enumerator has a number on the wire", __FILE__, __LINE__);
}

template <class Ours, class Table, class Theirs>
std::optional<Ours> find_ours(const Table& table, Theirs theirs) {
    for (const auto& pair : table) {
        if (pair.theirs == theirs)
            return pair.ours;
    }
    return std::nullopt;
}

}  // namespace

v1::Reason to_wire(core::Reason reason) {
    return find_theirs(reasons, reason);
}
v1::FinishReason to_wire(core::FinishReason reason) {
    return find_theirs(finish_reasons, reason);
}
v1::Task to_wire(core::Task task) {
    return find_theirs(tasks, task);
}
v1::AttemptEnd to_wire(core::AttemptEnd end) {
    return find_theirs(attempt_ends, end);
}
v1::Signal to_wire(core::SignalId signal) {
    return find_theirs(signals, signal);
}
v1::KeyRole to_wire(core::KeyRole role) {
    return find_theirs(key_roles, role);
}
v1::DataClass to_wire(core::DataClass data_class) {
    return find_theirs(data_classes, data_class);
}

std::optional<core::Reason> from_wire(v1::Reason reason) {
    return find_ours<core::Reason>(reasons, reason);
}
std::optional<core::FinishReason> from_wire(v1::FinishReason reason) {
    return find_ours<core::FinishReason>(finish_reasons, reason);
}
std::optional<core::Task> from_wire(v1::Task task) {
    return find_ours<core::Task>(tasks, task);
}
std::optional<core::AttemptEnd> from_wire(v1::AttemptEnd end) {
    return find_ours<core::AttemptEnd>(attempt_ends, end);
}
std::optional<core::SignalId> from_wire(v1::Signal signal) {
    return find_ours<core::SignalId>(signals, signal);
}
std::optional<core::KeyRole> from_wire(v1::KeyRole role) {
    return find_ours<core::KeyRole>(key_roles, role);
}
std::optional<core::DataClass> from_wire(v1::DataClass data_class) {
    return find_ours<core::DataClass>(data_classes, data_class);
}

}  // namespace idlewatt::wire
