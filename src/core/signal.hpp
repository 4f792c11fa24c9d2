// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a car, its charger and its tariff say. A value that is missing, out of range or old is
// unknown, and unknown never counts as zero or false.
//
// One vocabulary for all sources: the table names for each signal the COVESA VSS path that it comes
// from or is nearest to (catalogue 6.0; what was called otherwise in 4.0 and 5.1 stands in
// signals/vss.hpp). Signs are VSS's: power is positive into the battery.
// Source: https://covesa.github.io/vehicle_signal_specification
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace idlewatt::core {

enum class SignalId {
    occupied,    // somebody is in the car or has announced to return
    parked,      // the gear or the parking brake says so
    moving,      // speed is not zero
    plugged_in,  // a charging cable with power is connected
    locked,
    state_of_charge_percent,  // of the traction battery
    ready_to_drive,           // switched on
    door_open,                // any of them
    broken_down,              // the car says that it needs help or service
    updating,                 // its software is being replaced
    charging,                 // energy flows into the battery
    network_metered,          // what is sent costs the owner money
    grid_event,               // the grid asks for less load
    charge_limit_percent,     // where charging ends
    battery_capacity_kwh,     // usable
    range_km,
    battery_power_w,        // positive into the battery
    charger_power_w,        // what the charger can bring into the battery
    battery_temperature_c,  // of the warmest place that is known
    compute_temperature_c,
    low_voltage_v,      // of the 12 V battery
    price_usd_per_kwh,  // of the energy that the car takes now
    carbon_g_per_kwh,
    latitude_deg,
    longitude_deg,
    departure_unix_s,  // when the car is to be ready, seconds since 1970-01-01 UTC
};
inline constexpr std::size_t signal_count = 26;

// Who has to know a signal before the car may work.
enum class SignalNeed {
    always,
    once_heard,   // the car can say it, so it must go on saying it
    when_wanted,  // only where the owner's settings ask for it
};

enum class SignalUnit { boolean, percent, kwh, km, w, celsius, v, usd_per_kwh, g_per_kwh, deg, s };

struct SignalInfo {
    SignalId id;
    std::string_view name;  // as in configuration, API and command line
    std::string_view path;  // VSS 6.0; empty: VSS has no such signal
    SignalUnit unit;
    SignalNeed need;
    base::Duration fresh_for;  // older than this is stale, unless the source says otherwise
    // Whatever is outside is as good as missing. Booleans are 0 or 1 and nothing between.
    double least;
    double most;
};

[[nodiscard]] const std::array<SignalInfo, signal_count>& signal_table();
[[nodiscard]] const SignalInfo& info(SignalId id);
[[nodiscard]] std::optional<SignalId> find_signal(std::string_view name);
[[nodiscard]] bool in_range(const SignalInfo& signal, double value);  // false for NaN
[[nodiscard]] std::string allowed_values(const SignalInfo& signal);   // "0 to 100"

// A set of signals.
class SignalMask {
public:
    constexpr SignalMask() = default;
    template <class... Ids>
    constexpr explicit SignalMask(Ids... ids) : bits_((bit(ids) | ... | 0U)) {}

    [[nodiscard]] constexpr bool has(SignalId id) const { return (bits_ & bit(id)) != 0; }
    constexpr void add(SignalId id) { bits_ |= bit(id); }
    [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
    [[nodiscard]] constexpr bool covers(SignalMask other) const {
        return (other.bits_ & ~bits_) == 0;
    }

    friend constexpr SignalMask operator|(SignalMask a, SignalMask b) {
        return from(a.bits_ | b.bits_);
    }
    friend constexpr SignalMask operator&(SignalMask a, SignalMask b) {
        return from(a.bits_ & b.bits_);
    }
    friend constexpr bool operator==(SignalMask, SignalMask) = default;

private:
    static constexpr std::uint32_t bit(SignalId id) {
        return std::uint32_t{1} << static_cast<unsigned>(id);
    }
    static constexpr SignalMask from(std::uint32_t bits) {
        SignalMask mask;
        mask.bits_ = bits;
        return mask;
    }
    std::uint32_t bits_ = 0;
};
static_assert(signal_count <= 32);

[[nodiscard]] SignalMask signals_that_need(SignalNeed need);

struct SignalReading {
    std::optional<double> value;  // booleans are 0 or 1; nullopt: the source says "unknown"
    base::WallTime source_time;   // when the car measured it, by the source's clock
    base::Instant received_at;    // when it reached this process
    base::Duration fresh_for{};   // by the source's way of telling; zero: the table's
};

// The last reading of each signal; nullopt: never heard.
class SignalSet {
public:
    [[nodiscard]] const std::optional<SignalReading>& get(SignalId id) const {
        return readings_[static_cast<std::size_t>(id)];
    }
    void set(SignalId id, SignalReading reading) {
        readings_[static_cast<std::size_t>(id)] = reading;
    }

private:
    std::array<std::optional<SignalReading>, signal_count> readings_;
};

}  // namespace idlewatt::core
