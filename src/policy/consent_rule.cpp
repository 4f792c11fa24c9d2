// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

namespace {

// Comparisons are written so that NaN fails them.
bool is_percent(double value) {
    return value >= 0.0 && value <= 100.0;
}

bool is_delay(base::Duration delay) {
    return delay >= base::Duration{} && delay <= delay_max;
}

bool make_sense(const core::OwnerSettings& settings) {
    return is_percent(settings.reserve_percent) && is_percent(settings.floor_percent) &&
           settings.power_limit_w > 0.0 && settings.power_limit_w <= power_limit_w_max &&
           is_delay(settings.reentry_delay) && is_delay(settings.drain_dwell);
}

}  // namespace

Objection consent_rule(const core::OwnerSettings& settings) {
    // Whoever cannot be understood has not agreed.
    if (!settings.consent || !make_sense(settings))
        return core::Reason::no_consent;
    return std::nullopt;
}

}  // namespace idlewatt::policy
