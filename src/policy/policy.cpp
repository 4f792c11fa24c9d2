// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "policy/policy.hpp"

#include <algorithm>

#include "policy/rules.hpp"

namespace idlewatt::policy {

namespace {

using core::Reason;

core::Verdict stop(Reason reason, base::Instant until) {
    return {reason, 0.0, until == base::never ? std::nullopt : std::optional(until)};
}

// What must stop the car at once.
Answer recall_objection(const Case& c) {
    return first_objection(c, consent_rule, pause_rule, presence_rule, plug_rule, floor_rule,
                           heat_rule, health_rule, doubt_rule);
}

// What lets it finish before. All that is always needed is known here.
Answer drain_objection(const Case& c) {
    return first_objection(c, circumstance_rule, update_rule, grid_rule, departure_rule,
                           charge_time_rule, reserve_rule, schedule_rule, place_rule, tariff_rule,
                           worth_rule, cold_rule, network_rule);
}

void note_what_is_known(const Situation& situation, Memory& memory) {
    static const core::SignalMask always = core::signals_that_need(core::SignalNeed::always);
    static const core::SignalMask must_go_on =
        core::signals_that_need(core::SignalNeed::once_heard);
    memory.heard = memory.heard | (situation.known & must_go_on);
    if (situation.known.covers(always | memory.heard))
        memory.informed = true;
}

// Readings that a fresh process has not heard yet interrupt nothing: there is no work to come back
// to, so no re-entry delay begins.
bool only_waits_for_readings(const Memory& memory, Reason reason) {
    return !memory.informed &&
           (reason == Reason::signal_missing || reason == Reason::charge_unknown);
}

// When the drain that holds the car may end, now that nothing objects any more.
base::Instant drain_ends_at(const core::OwnerSettings& settings, const Memory& memory) {
    const base::Instant dwelt_at = memory.drained_at + settings.drain_dwell;
    const auto& oldest = memory.starts.front();
    return oldest ? std::max(dwelt_at, *oldest + drain_starts_span) : dwelt_at;
}

void note_start(base::Instant now, Memory& memory) {
    memory.drain.reset();
    std::shift_left(memory.starts.begin(), memory.starts.end(), 1);
    memory.starts.back() = now;
}

Judgement recalled(const Situation& situation, const Objection& objection, Memory memory) {
    if (!only_waits_for_readings(memory, objection.reason)) {
        memory.recall = objection.reason;
        memory.recall_stands = true;
    }
    if (objection.reason == Reason::no_consent)
        return {stop(objection.reason, base::never), memory};
    const bool known = objection.until != base::never;
    return {stop(objection.reason, known ? objection.until : situation.first_change), memory};
}

Judgement drained(const Situation& situation, const core::OwnerSettings& settings,
                  const Objection& objection, const Memory& memory) {
    const base::Instant dwelt_at = memory.drained_at + settings.drain_dwell;
    const bool dwells = situation.now < dwelt_at;
    if (objection.until != base::never)
        return {stop(objection.reason, std::max(objection.until, dwelt_at)), memory};
    return {stop(objection.reason, dwells ? dwelt_at : situation.first_change), memory};
}

}  // namespace

Judgement decide(const Situation& situation, const Terms& terms, const Memory& before) {
    const core::OwnerSettings& settings = terms.settings;
    Memory memory = before;
    Case c(situation, terms, memory);
    const base::Instant now = situation.now;
    note_what_is_known(situation, memory);
    if (const Answer recall = recall_objection(c))
        return recalled(situation, *recall, memory);

    c.ready = next_ready_time(c);
    const Answer drain = drain_objection(c);
    if (drain) {
        if (!memory.drain)
            memory.drained_at = now;
        memory.drain = drain->reason;
    }
    if (memory.recall_stands) {
        memory.recall_stands = false;
        memory.cleared_at = now;
    }
    if (memory.recall) {
        const base::Instant back_at = memory.cleared_at + settings.reentry_delay;
        if (now < back_at)
            return {stop(*memory.recall, back_at), memory};
        memory.recall.reset();
    }
    if (drain)
        return drained(situation, settings, *drain, memory);
    if (memory.drain) {
        const base::Instant ends_at = drain_ends_at(settings, memory);
        if (now < ends_at)
            return {stop(*memory.drain, ends_at), memory};
        note_start(now, memory);
    }
    const base::Instant until = std::min({situation.first_change, departure_objects_at(c),
                                          charge_time_objects_at(c), schedule_objects_at(c)});
    return {{Reason::ok, settings.power_limit_w,
             until == base::never ? std::nullopt : std::optional(until)},
            memory};
}

Judgement judge(const Facts& facts, const Memory& memory) {
    return decide(look(facts), Terms(facts.settings), memory);
}

}  // namespace idlewatt::policy
