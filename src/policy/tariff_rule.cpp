// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <cmath>

#include "policy/rules.hpp"

namespace idlewatt::policy {

namespace {

// What is not known may be too much.
bool is_too_much(const Case& c, core::SignalId id, core::Reason reason,
                 const std::optional<double>& limit) {
    if (!limit)
        return false;
    const double below = c.holds(reason) ? std::abs(*limit) * tariff_hysteresis : 0.0;
    return !c.knows(id) || c.value(id) > *limit - below;
}

}  // namespace

Answer tariff_rule(const Case& c) {
    using core::Reason;
    if (is_too_much(c, core::SignalId::price_usd_per_kwh, Reason::price_above_limit,
                    c.settings.price_limit_usd_per_kwh)) {
        return Objection{Reason::price_above_limit};
    }
    if (is_too_much(c, core::SignalId::carbon_g_per_kwh, Reason::carbon_above_limit,
                    c.settings.carbon_limit_g_per_kwh)) {
        return Objection{Reason::carbon_above_limit};
    }
    return std::nullopt;
}

}  // namespace idlewatt::policy
