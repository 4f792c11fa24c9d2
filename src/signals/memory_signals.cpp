// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "signals/memory_signals.hpp"

#include <utility>

namespace idlewatt::signals {

std::array<SignalState, core::signal_count> parked_car() {
    std::array<SignalState, core::signal_count> states{};
    const auto set = [&states](core::SignalId id, double value) {
        states[static_cast<std::size_t>(id)] = reported(value);
    };
    set(core::SignalId::occupied, 0.0);
    set(core::SignalId::parked, 1.0);
    set(core::SignalId::moving, 0.0);
    set(core::SignalId::plugged_in, 1.0);
    set(core::SignalId::locked, 1.0);
    set(core::SignalId::state_of_charge_percent, 80.0);
    return states;
}

MemorySignals::MemorySignals(base::Loop& loop) : refresher_(loop) {
    const auto states = parked_car();
    for (const core::SignalInfo& signal : core::signal_table()) {
        refresher_.set(signal.id, states[static_cast<std::size_t>(signal.id)]);
    }
}

void MemorySignals::start(OnReading on_reading) {
    refresher_.start(std::move(on_reading));
}

base::Result<void> MemorySignals::hold(
    const std::vector<std::pair<core::SignalId, std::optional<double>>>& values) {
    for (const auto& [id, value] : values)
        refresher_.hold(id, value);
    return {};
}

}  // namespace idlewatt::signals
