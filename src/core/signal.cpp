// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "core/signal.hpp"

#include "base/assert.hpp"

namespace idlewatt::core {

const std::array<SignalInfo, signal_count>& signal_table() {
    static constexpr base::Duration fast = base::seconds(3);
    static constexpr base::Duration slow = base::seconds(60);
    static constexpr std::array<SignalInfo, signal_count> table{{
        {SignalId::occupied, "occupied", SignalKind::boolean, fast},
        {SignalId::parked, "parked", SignalKind::boolean, fast},
        {SignalId::moving, "moving", SignalKind::boolean, fast},
        {SignalId::plugged_in, "plugged_in", SignalKind::boolean, fast},
        {SignalId::locked, "locked", SignalKind::boolean, fast},
        {SignalId::state_of_charge_percent, "state_of_charge_percent", SignalKind::percent, slow},
    }};
    return table;
}

bool in_range(SignalKind kind, double value) {
    switch (kind) {
        case SignalKind::boolean:
            return value == 0.0 || value == 1.0;
        case SignalKind::percent:
            return value >= 0.0 && value <= 100.0;  // false for NaN
    }
    return false;
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

}  // namespace idlewatt::core
