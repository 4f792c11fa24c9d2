// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <array>

#include "policy/rules.hpp"

namespace idlewatt::policy {

Objection doubt_rule(const CheckedSignals& signals) {
    using enum core::Reason;
    // A wrong clock explains the others, and a missing signal is worse than a late one.
    for (const core::Reason doubt :
         std::array{clock_unsure, signal_missing, charge_unknown, signal_stale}) {
        if (signals.any_doubt(doubt))
            return doubt;
    }
    return std::nullopt;
}

}  // namespace idlewatt::policy
