// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

// A network of which nothing is known may cost money.
Answer network_rule(const Case& c) {
    if (c.settings.only_unmetered && !c.is(core::SignalId::network_metered, false))
        return Objection{core::Reason::network_metered};
    return std::nullopt;
}

}  // namespace idlewatt::policy
