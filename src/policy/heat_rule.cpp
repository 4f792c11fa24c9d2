// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

namespace {

bool is_too_hot(const Case& c, core::SignalId id, core::Reason reason, double limit_c,
                double hysteresis_c) {
    return c.knows(id) && c.value(id) > limit_c - (c.holds(reason) ? hysteresis_c : 0.0);
}

}  // namespace

Answer heat_rule(const Case& c) {
    using core::Reason;
    using enum core::SignalId;
    if (is_too_hot(c, battery_temperature_c, Reason::battery_too_hot, c.settings.battery_hot_c,
                   battery_hysteresis_c)) {
        return Objection{Reason::battery_too_hot};
    }
    if (is_too_hot(c, compute_temperature_c, Reason::compute_too_hot, c.settings.compute_hot_c,
                   compute_hysteresis_c)) {
        return Objection{Reason::compute_too_hot};
    }
    return std::nullopt;
}

}  // namespace idlewatt::policy
