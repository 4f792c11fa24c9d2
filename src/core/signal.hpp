// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a car says about itself. A value that is missing, out of range or old is unknown, and
// unknown never counts as zero or false.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "base/time.hpp"

namespace idlewatt::core {

enum class SignalId {
    occupied,                 // bool: somebody is in the car or has announced to return
    parked,                   // bool: the gear or the parking brake says so
    moving,                   // bool: speed is not zero
    plugged_in,               // bool: a charging cable with power is connected
    locked,                   // bool
    state_of_charge_percent,  // 0 to 100, of the traction battery
};
inline constexpr std::size_t signal_count = 6;

enum class SignalKind { boolean, percent };

// 0 or 1; 0 to 100. What is outside is as good as missing.
[[nodiscard]] bool in_range(SignalKind kind, double value);

struct SignalInfo {
    SignalId id;
    std::string_view name;  // as in configuration, API and command line
    SignalKind kind;
    base::Duration fresh_for;  // older than this is stale
};

[[nodiscard]] const std::array<SignalInfo, signal_count>& signal_table();
[[nodiscard]] const SignalInfo& info(SignalId id);
[[nodiscard]] std::optional<SignalId> find_signal(std::string_view name);

struct SignalReading {
    std::optional<double> value;  // booleans are 0 or 1; nullopt: the source says "unknown"
    base::WallTime source_time;   // when the car measured it, by the source's clock
    base::Instant received_at;    // when it reached this process
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
