// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/policy.hpp"

#include "policy/rules.hpp"

namespace idlewatt::policy {

namespace {

using core::Reason;

core::Verdict stop(Reason reason, std::optional<base::Instant> until) {
    return {reason, 0.0, until};
}

// Rules 1 to 5: what must stop the car at once.
Objection recall_objection(const Facts& facts, const CheckedSignals& signals) {
    if (const Objection found = consent_rule(facts.settings))
        return found;
    if (const Objection found = presence_rule(signals))
        return found;
    if (const Objection found = plug_rule(signals))
        return found;
    if (const Objection found = floor_rule(facts.settings, signals))
        return found;
    return doubt_rule(signals);
}

// Readings that a fresh process has not heard yet interrupt nothing: there is no work to come back
// to, so no re-entry delay begins.
bool only_waits_for_readings(const Memory& memory, Reason reason) {
    return !memory.informed &&
           (reason == Reason::signal_missing || reason == Reason::charge_unknown);
}

}  // namespace

Judgement judge(const Facts& facts, const Memory& before) {
    Memory memory = before;
    const CheckedSignals signals(facts);
    if (signals.all_known())
        memory.informed = true;

    if (const Objection recall = recall_objection(facts, signals)) {
        if (!only_waits_for_readings(memory, *recall)) {
            memory.recall = *recall;
            memory.recall_stands = true;
        }
        const bool consent_missing = *recall == Reason::no_consent;
        return {stop(*recall, consent_missing ? std::nullopt : signals.first_change()), memory};
    }

    const Objection drain = reserve_rule(facts.settings, signals, facts.now, memory);
    if (memory.recall_stands) {
        memory.recall_stands = false;
        memory.cleared_at = facts.now;
    }
    if (memory.recall) {
        const base::Instant back_at = memory.cleared_at + facts.settings.reentry_delay;
        if (facts.now < back_at)
            return {stop(*memory.recall, back_at), memory};
        memory.recall.reset();
    }
    if (drain) {
        const base::Instant dwelt_at = memory.drained_at + facts.settings.drain_dwell;
        const bool dwelling = facts.now < dwelt_at;
        return {stop(*drain, dwelling ? dwelt_at : signals.first_change()), memory};
    }
    return {{Reason::ok, facts.settings.power_limit_w, signals.first_change()}, memory};
}

}  // namespace idlewatt::policy
