// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The in-memory source for tests and the simulator: signals are whatever was set last. Begins as a
// parked, locked, empty car on its cable with 80 % charge.
#pragma once

#include "signals/refresher.hpp"

namespace idlewatt::signals {

// What a script and this source begin with.
[[nodiscard]] std::array<SignalState, core::signal_count> parked_car();

class MemorySignals final : public SignalSource {
public:
    explicit MemorySignals(base::Loop& loop);

    void start(OnReading on_reading) override;
    [[nodiscard]] base::Result<void> hold(
        const std::vector<std::pair<core::SignalId, std::optional<double>>>& values) override;

    // Each is reported at once.
    void set(core::SignalId id, double value) { refresher_.set(id, reported(value)); }
    void drop(core::SignalId id) { refresher_.set(id, missing); }
    // Says nothing more about the signal, so that it grows stale.
    void freeze(core::SignalId id) { refresher_.set(id, frozen); }
    void set_clock_error(base::Duration error) { refresher_.set_clock_error(error); }

private:
    Refresher refresher_;
};

}  // namespace idlewatt::signals
