// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Objection plug_rule(const CheckedSignals& signals) {
    if (signals.is(core::SignalId::plugged_in, false))
        return core::Reason::not_plugged_in;
    return std::nullopt;
}

}  // namespace idlewatt::policy
