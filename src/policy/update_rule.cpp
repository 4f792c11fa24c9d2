// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Answer update_rule(const Case& c) {
    if (c.is(core::SignalId::updating, true))
        return Objection{core::Reason::update_in_progress};
    return std::nullopt;
}

}  // namespace idlewatt::policy
