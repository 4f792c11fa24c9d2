// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "core/signal.hpp"

#include "base/assert.hpp"

namespace idlewatt::core {

namespace {

// What a car says many times a second, what changes slowly, and what is told by the hour.
constexpr base::Duration fast = base::seconds(3);
constexpr base::Duration slow = base::seconds(60);
constexpr base::Duration hourly = base::minutes(75);
// Beyond what any battery, charger or tariff has.
constexpr double battery_kwh_max = 2'000.0;
constexpr double power_w_max = 2'000'000.0;
constexpr double range_km_max = 5'000.0;
constexpr double price_max = 100.0;
constexpr double carbon_max = 5'000.0;
constexpr double unix_s_max = 4'102'444'800.0;  // 2100-01-01

}  // namespace

const std::array<SignalInfo, signal_count>& signal_table() {
    using enum SignalId;
    using enum SignalUnit;
    using enum SignalNeed;
    static constexpr std::array<SignalInfo, signal_count> table{{
        {occupied, "occupied", "Vehicle.Cabin.Seat.Row1.DriverSide.OccupancyStatus", boolean,
         always, fast, 0, 1},
        {parked, "parked", "Vehicle.Powertrain.Transmission.SelectedGear", boolean, always, fast, 0,
         1},
        {moving, "moving", "Vehicle.IsMoving", boolean, always, fast, 0, 1},
        {plugged_in, "plugged_in",
         "Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition."
         "IsChargingCableConnected",
         boolean, always, fast, 0, 1},
        {locked, "locked", "Vehicle.Cabin.Door.Row1.DriverSide.IsLocked", boolean, always, fast, 0,
         1},
        {state_of_charge_percent, "state_of_charge_percent",
         "Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed", percent, always, slow, 0,
         100},
        {ready_to_drive, "ready_to_drive", "Vehicle.LowVoltageSystemState", boolean, once_heard,
         fast, 0, 1},
        {door_open, "door_open", "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen", boolean, once_heard,
         fast, 0, 1},
        {broken_down, "broken_down", "Vehicle.IsBrokenDown", boolean, once_heard, slow, 0, 1},
        {updating, "updating", "", boolean, when_wanted, slow, 0, 1},
        {charging, "charging", "Vehicle.Powertrain.TractionBattery.Charging.IsCharging", boolean,
         when_wanted, slow, 0, 1},
        {network_metered, "network_metered", "", boolean, when_wanted, slow, 0, 1},
        {grid_event, "grid_event", "", boolean, when_wanted, hourly, 0, 1},
        {charge_limit_percent, "charge_limit_percent",
         "Vehicle.Powertrain.TractionBattery.Charging.ChargeLimit", percent, when_wanted, slow, 0,
         100},
        {battery_capacity_kwh, "battery_capacity_kwh",
         "Vehicle.Powertrain.TractionBattery.NetCapacity", kwh, when_wanted, hourly, 1,
         battery_kwh_max},
        {range_km, "range_km", "Vehicle.Powertrain.TractionBattery.Range", km, when_wanted, slow, 0,
         range_km_max},
        {battery_power_w, "battery_power_w", "Vehicle.Powertrain.TractionBattery.CurrentPower", w,
         when_wanted, slow, -power_w_max, power_w_max},
        {charger_power_w, "charger_power_w", "Vehicle.Powertrain.TractionBattery.Charging.MaxPower",
         w, when_wanted, slow, 0, power_w_max},
        {battery_temperature_c, "battery_temperature_c",
         "Vehicle.Powertrain.TractionBattery.Temperature.Max", celsius, once_heard, slow, -60, 120},
        {compute_temperature_c, "compute_temperature_c",
         "Vehicle.ControlUnit.Central.Health.Resources.Temperature", celsius, once_heard, slow, -60,
         150},
        {low_voltage_v, "low_voltage_v", "Vehicle.LowVoltageBattery.CurrentVoltage", v, once_heard,
         slow, 0, 60},
        {price_usd_per_kwh, "price_usd_per_kwh", "", usd_per_kwh, when_wanted, hourly, -price_max,
         price_max},
        {carbon_g_per_kwh, "carbon_g_per_kwh", "", g_per_kwh, when_wanted, hourly, 0, carbon_max},
        {latitude_deg, "latitude_deg", "Vehicle.CurrentLocation.Latitude", deg, when_wanted, slow,
         -90, 90},
        {longitude_deg, "longitude_deg", "Vehicle.CurrentLocation.Longitude", deg, when_wanted,
         slow, -180, 180},
        {departure_unix_s, "departure_unix_s",
         "Vehicle.Powertrain.TractionBattery.BatteryConditioning.TargetTime", s, when_wanted,
         hourly, 0, unix_s_max},
    }};
    return table;
}

bool in_range(const SignalInfo& signal, double value) {
    if (signal.unit == SignalUnit::boolean)
        return value == 0.0 || value == 1.0;
    return value >= signal.least && value <= signal.most;
}

std::string allowed_values(const SignalInfo& signal) {
    if (signal.unit == SignalUnit::boolean)
        return "true, false";
    const auto whole = [](double value) {
        return std::to_string(static_cast<std::int64_t>(value));
    };
    return whole(signal.least) + " to " + whole(signal.most);
}

const SignalInfo& info(SignalId id) {
    const SignalInfo& found = signal_table()[static_cast<std::size_t>(id)];
    IDLEWATT_ASSERT(found.id == id);
    return found;
}

std::optional<SignalId> find_signal(std::string_view name) {
    for (const SignalInfo& signal : signal_table()) {
        if (signal.name == name)
            return signal.id;
    }
    return std::nullopt;
}

SignalMask signals_that_need(SignalNeed need) {
    SignalMask mask;
    for (const SignalInfo& signal : signal_table()) {
        if (signal.need == need)
            mask.add(signal.id);
    }
    return mask;
}

}  // namespace idlewatt::core
