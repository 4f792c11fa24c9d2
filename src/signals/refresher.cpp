// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "signals/refresher.hpp"

#include <utility>

#include "base/assert.hpp"

namespace idlewatt::signals {

Refresher::~Refresher() {
    if (timer_)
        loop_.cancel(*timer_);
}

void Refresher::start(SignalSource::OnReading on_reading) {
    IDLEWATT_ASSERT(!on_reading_ && on_reading);
    on_reading_ = std::move(on_reading);
    refresh();
}

void Refresher::set(core::SignalId id, SignalState state) {
    const auto index = static_cast<std::size_t>(id);
    states_[index] = state;
    if (!held_[index])
        report(id);
}

void Refresher::hold(core::SignalId id, std::optional<double> value) {
    held_[static_cast<std::size_t>(id)] = value ? reported(*value) : missing;
    report(id);
}

void Refresher::refresh() {
    // Armed first: a callback may change what is reported, but never the rhythm.
    timer_ = loop_.after(refresh_period, [this] { refresh(); });
    for (const core::SignalInfo& signal : core::signal_table())
        report(signal.id);
}

void Refresher::report(core::SignalId id) {
    if (!on_reading_)
        return;
    const auto index = static_cast<std::size_t>(id);
    const SignalState state = held_[index].value_or(states_[index]);
    if (state.mode == SignalState::Mode::frozen)
        return;
    core::SignalReading reading;
    if (state.mode == SignalState::Mode::value)
        reading.value = state.value;
    reading.source_time = loop_.wall_now() + clock_error_;
    reading.received_at = loop_.now();
    on_reading_(id, reading);
}

}  // namespace idlewatt::signals
