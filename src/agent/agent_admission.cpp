// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What gateways say to a car: opening attempts, acknowledging, asking again, cancelling.
#include "agent/agent_core.hpp"
#include "base/fault_point.hpp"

namespace idlewatt::agent {

void AgentCore::on(const Heard& event, Now now, Effects& effects) {
    const auto found = attempts_.find(event.attempt);
    if (found == attempts_.end()) {
        // Late words about a closed attempt start nothing; a new one begins with Open alone.
        const auto* first = std::get_if<core::Open>(&event.message);
        if (first != nullptr && !closed_.contains(event.attempt)) {
            open(event.attempt, *first, now, effects);
        }
        return;
    }
    resume_or_refuse(found->second, event.message, now, effects);
}

void AgentCore::open(const core::AttemptId& id, const core::Open& message, Now now,
                     Effects& effects) {
    const auto refused = refusal();
    if (refused) {
        effects.emplace_back(Say{message.gateway, id, *refused});
        // Who is told that no slot is free believes it until the next announcement.
        announcement_owed_ = announcement_owed_ || refused->busy;
        return;
    }
    const auto place = attempts_.emplace(id, Attempt(id, message, now.instant, now.wall)).first;
    Attempt& attempt = place->second;
    attempt.alive_said_at = now.instant;
    attempt.draft_kept_at = now.instant;
    say(attempt, attempt.alive(), effects);
    // That a slot is taken is announced with the next tick: its gateway knows, and every process of
    // the cell that hears it has better things to do while an answer begins.
    if (attempt.whole())
        effects.emplace_back(DecodeWork{id, attempt.take_work_bytes()});
}

void AgentCore::resume_or_refuse(Attempt& attempt, const core::ToCar& message, Now now,
                                 Effects& effects) {
    attempt.heard(now.instant);
    if (const auto* body = std::get_if<core::Body>(&message)) {
        const bool was_whole = attempt.whole();
        if (!attempt.take_part(*body)) {
            say(attempt, core::Refused{core::Reason::draining, false}, effects);
            close(attempt.id(), core::AttemptEnd::cancelled, now, effects);
        } else if (!was_whole && attempt.whole()) {
            effects.emplace_back(DecodeWork{attempt.id(), attempt.take_work_bytes()});
        }
    } else if (const auto* ack = std::get_if<core::Ack>(&message)) {
        attempt.acknowledge(ack->sequence);
        pace(attempt, effects);
        if (attempt.settled()) {
            close(attempt.id(), attempt.outcome, now, effects);
            announce(now, false, effects);
            steer_engine(now, effects);
        }
    } else if (const auto* resend = std::get_if<core::Resend>(&message)) {
        // What came before has been received, but the client may not have it yet.
        for (core::Numbered& numbered : attempt.unacknowledged_from(resend->from)) {
            base::reached("agent.resent");
            say(attempt, std::move(numbered), effects);
        }
    } else if (std::holds_alternative<core::Cancel>(message)) {
        if (attempt.state() == Attempt::State::running) {
            effects.emplace_back(CancelStream{attempt.id()});
            attempt.outcome = core::AttemptEnd::cancelled;
        }
        const bool running = attempt.state() == Attempt::State::running;
        const auto end = running ? core::AttemptEnd::cancelled : attempt.outcome;
        close(attempt.id(), end, now, effects);
        announce(now, false, effects);
        steer_engine(now, effects);
    }
}

void AgentCore::on(const WorkDecoded& event, Now now, Effects& effects) {
    const auto found = attempts_.find(event.attempt);
    if (found == attempts_.end() || found->second.state() != Attempt::State::receiving)
        return;
    Attempt& attempt = found->second;
    const bool ready = announced_reason() == core::Reason::ok;
    // For the model that this car held a moment ago: another one would go on with strange tokens.
    const bool other = event.work && event.work->model != model_plan_.loaded_name();
    if (!event.work || !ready || other) {
        const core::Reason reason = other ? core::Reason::no_model : core::Reason::draining;
        say(attempt, core::Refused{ready ? reason : announced_reason(), false}, effects);
        close(event.attempt, core::AttemptEnd::cancelled, now, effects);
        return;
    }
    attempt.run(*event.work);
    // The engine begins while the draft is written; nothing that it says is told before.
    effects.emplace_back(Generate{
        event.attempt,
        {event.work->request_json, event.work->resume, event.attempt.value, event.work->task}});
    effects.emplace_back(KeepDraft{attempt.receipt(core::AttemptEnd::interrupted, now.instant)});
}

std::optional<core::Refused> AgentCore::refusal() const {
    const core::Reason reason = announced_reason();
    if (reason != core::Reason::ok)
        return core::Refused{reason, false};
    std::size_t receiving = 0;
    for (const auto& [id, attempt] : attempts_) {
        if (attempt.state() == Attempt::State::receiving)
            ++receiving;
    }
    if (slots_free() == 0 || receiving >= receiving_max || ticks_until_awake_ > 0)
        return core::Refused{reason, true};
    return std::nullopt;
}

std::uint32_t AgentCore::slots_free() const {
    if (engine_.condition != engine::Condition::ready)
        return 0;
    std::uint32_t busy = 0;
    for (const auto& [id, attempt] : attempts_) {
        if (attempt.state() != Attempt::State::ended)
            ++busy;
    }
    return busy >= engine_.ready.slots ? 0 : engine_.ready.slots - busy;
}

}  // namespace idlewatt::agent
