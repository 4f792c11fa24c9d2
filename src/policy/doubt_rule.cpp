// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/rules.hpp"

namespace idlewatt::policy {

// A wrong clock explains the others, and a missing signal is worse than a late one.
Answer doubt_rule(const Case& c) {
    using core::Reason;
    static const core::SignalMask always = core::signals_that_need(core::SignalNeed::always);
    static constexpr core::SignalMask charge{core::SignalId::state_of_charge_percent};
    const Situation& s = c.situation;
    const core::SignalMask needed = always | c.memory.heard;
    if (s.known.covers(needed))
        return std::nullopt;
    if (!(s.unsure & needed).empty())
        return Objection{Reason::clock_unsure};
    const core::SignalMask told = s.known | s.stale;
    if (!(told | charge).covers(needed))
        return Objection{Reason::signal_missing};
    if (!told.covers(charge))
        return Objection{Reason::charge_unknown};
    return Objection{Reason::signal_stale};
}

}  // namespace idlewatt::policy
