// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Answer consent_rule(const Case& c) {
    // Whoever cannot be understood has not agreed.
    if (!c.settings.consent || !c.terms.make_sense)
        return Objection{core::Reason::no_consent};
    return std::nullopt;
}

}  // namespace idlewatt::policy
