// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Answer plug_rule(const Case& c) {
    if (c.settings.only_plugged_in && c.is(core::SignalId::plugged_in, false))
        return Objection{core::Reason::not_plugged_in};
    return std::nullopt;
}

}  // namespace idlewatt::policy
