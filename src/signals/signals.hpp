// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Where a car's signals come from. Hides the source's library; today the source is a script in
// TOML (scripted_signals.hpp), the simulator has its own.
//
// Lifecycle: start() once; callbacks until destruction. Threads: the loop given at construction.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "core/signal.hpp"

namespace idlewatt::signals {

class SignalSource {
public:
    using OnReading = std::function<void(core::SignalId, core::SignalReading)>;

    virtual ~SignalSource() = default;

    virtual void start(OnReading on_reading) = 0;

    // For sources without a real car behind them: hold these values (nullopt: missing) until they
    // are changed again. Real sources refuse.
    [[nodiscard]] virtual base::Result<void> hold(
        const std::vector<std::pair<core::SignalId, std::optional<double>>>& values) = 0;
};

}  // namespace idlewatt::signals
