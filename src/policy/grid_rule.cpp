// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Answer grid_rule(const Case& c) {
    if (c.is(core::SignalId::grid_event, true))
        return Objection{core::Reason::grid_event};
    return std::nullopt;
}

}  // namespace idlewatt::policy
