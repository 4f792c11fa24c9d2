// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Reports a set of signal states over and over, as a car does: each change at once, and everything
// again every refresh_period with a fresh source time. Held values cover the states below them.
//
// Lifecycle: start() once; silent after destruction. Threads: the loop's.
#pragma once

#include <array>
#include <optional>

#include "base/loop.hpp"
#include "signals/script.hpp"
#include "signals/signals.hpp"

namespace idlewatt::signals {

inline constexpr base::Duration refresh_period = base::milliseconds(500);

class Refresher {
public:
    explicit Refresher(base::Loop& loop) : loop_(loop) {}
    ~Refresher();

    Refresher(const Refresher&) = delete;
    Refresher& operator=(const Refresher&) = delete;

    void start(SignalSource::OnReading on_reading);
    void set(core::SignalId id, SignalState state);
    // Until held again; nullopt is reported as unknown.
    void hold(core::SignalId id, std::optional<double> value);
    // Added to the source time of all further readings: a car whose clock is wrong.
    void set_clock_error(base::Duration error) { clock_error_ = error; }

private:
    void refresh();
    void report(core::SignalId id);

    base::Loop& loop_;
    SignalSource::OnReading on_reading_;
    std::array<SignalState, core::signal_count> states_{};
    std::array<std::optional<SignalState>, core::signal_count> held_{};
    base::Duration clock_error_;
    std::optional<base::TimerId> timer_;
};

}  // namespace idlewatt::signals
