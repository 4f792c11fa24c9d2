// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

Answer worth_rule(const Case& c) {
    if (!c.situation.circumstances.worth_it)
        return Objection{core::Reason::not_worth_it};
    return std::nullopt;
}

}  // namespace idlewatt::policy
