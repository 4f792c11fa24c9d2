// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// May this car work, and what follows for the engine and for the gateways.
#include "agent/agent_core.hpp"
#include "base/fault_point.hpp"

namespace idlewatt::agent {

namespace {

constexpr std::int32_t utc_offset_s = 0;  // no story names a time zone yet

}  // namespace

void AgentCore::judge(Now now, Effects& effects) {
    const core::Verdict before = verdict_;
    const policy::Judgement judgement =
        policy::judge({config_.settings, signals_, now.instant, now.wall,
                       core::week_time(now.wall, utc_offset_s)},
                      policy_memory_);
    verdict_ = judgement.verdict;
    policy_memory_ = judgement.memory;
    const core::ReasonKind kind = core::info(verdict_.reason).kind;
    if (kind == core::ReasonKind::recall) {
        if (engine_phase_ == EnginePhase::on && base::fault_point("agent.deaf_to_owner"))
            return;
        recall(now, effects);
        drain_deadline_.reset();
    } else if (kind == core::ReasonKind::drain || hold()) {
        if (!drain_deadline_)
            drain_deadline_ = now.instant + drain_grace;
        drain(now, effects);
    } else {
        drain_deadline_.reset();
    }
    steer_engine(now, effects);
    if (before.reason != verdict_.reason) {
        effects.emplace_back(ReportVerdict{verdict_, announced_reason()});
        announce(now, true, effects);
    }
}

// The engine dies first; words come after.
void AgentCore::recall(Now now, Effects& effects) {
    if (engine_phase_ == EnginePhase::on) {
        engine_phase_ = EnginePhase::ending;
        recall_began_at_ = now.instant;
        recall_reason_ = verdict_.reason;
        effects.emplace_back(KillEngine{});
    }
    for (auto& [id, attempt] : attempts_) {
        if (attempt.state() != Attempt::State::running)
            continue;
        if (attempt.generated_tokens() > 0)
            base::reached("agent.recalled_in_answer");
        yield(attempt, verdict_.reason, core::AttemptEnd::recalled, effects);
    }
}

void AgentCore::drain(Now now, Effects& effects) {
    if (now.instant < *drain_deadline_)
        return;
    for (auto& [id, attempt] : attempts_) {
        if (attempt.state() != Attempt::State::running)
            continue;
        effects.emplace_back(CancelStream{id});
        base::reached("agent.drained_in_answer");
        yield(attempt, announced_reason(), core::AttemptEnd::drained, effects);
    }
}

// Why there is no work although the owner allows it; these end as drains do.
std::optional<core::Reason> AgentCore::hold() const {
    return terminating_ ? core::Reason::draining : model_plan_.hold();
}

// The engine runs while the verdict allows work, and to the end of a drain.
void AgentCore::steer_engine(Now now, Effects& effects) {
    const bool wanted = verdict_.may_work() && !hold() && model_plan_.can_load();
    if (wanted && engine_phase_ == EnginePhase::off) {
        engine_phase_ = EnginePhase::on;
        model_plan_.load(effects);
        effects.emplace_back(StartEngine{});
    } else if (!wanted && engine_phase_ == EnginePhase::on) {
        for (const auto& [id, attempt] : attempts_) {
            if (attempt.state() == Attempt::State::running)
                return;
        }
        engine_phase_ = EnginePhase::ending;
        effects.emplace_back(KillEngine{});
    }
    announce(now, false, effects);
}

void AgentCore::on(const EngineChanged& event, Now now, Effects& effects) {
    engine_ = event.status;
    if (engine_.condition == engine::Condition::ready)
        model_plan_.engine_ready(effects);
    announce(now, true, effects);
    const bool failed = engine_.condition == engine::Condition::failed;
    if (failed && model_plan_.engine_failed(engine_.failure, effects))
        judge(now, effects);
}

void AgentCore::on(const EngineGone&, Now now, Effects& effects) {
    engine_phase_ = EnginePhase::off;
    engine_ = {};
    model_plan_.unloaded();
    if (recall_began_at_) {
        effects.emplace_back(ReportRecall{recall_reason_, now.instant - *recall_began_at_});
        recall_began_at_.reset();
    }
    steer_engine(now, effects);
}

core::Reason AgentCore::announced_reason() const {
    if (!verdict_.may_work())
        return verdict_.reason;
    if (const auto held = hold())
        return *held;
    if (!model_plan_.can_load())
        return core::Reason::no_model;
    if (engine_phase_ != EnginePhase::on)
        return core::Reason::starting;
    switch (engine_.condition) {
        case engine::Condition::ready:
            return core::Reason::ok;
        case engine::Condition::failed:
            return core::Reason::engine_failed;
        case engine::Condition::idle:
        case engine::Condition::starting:
            break;
    }
    return core::Reason::starting;
}

// Says the state of the car if it is news, or anyway when always is set.
void AgentCore::announce(Now now, bool always, Effects& effects) {
    core::Announcement next;
    next.vehicle = config_.vehicle;
    next.incarnation = config_.incarnation;
    next.reason = announced_reason();
    next.allowed_w = verdict_.allowed_w;
    const auto& charge = signals_.get(core::SignalId::state_of_charge_percent);
    // What no battery can say is unknown; a gateway would drop the whole announcement for it.
    if (charge && charge->value >= 0.0 && charge->value <= 100.0)
        next.state_of_charge_percent = charge->value;
    if (engine_.condition == engine::Condition::ready) {
        next.models.push_back(model_plan_.loaded_name());
        next.slots_total = engine_.ready.slots;
        next.slots_free = slots_free();
        next.context_tokens = engine_.ready.context_tokens;
        next.embeddings = engine_.ready.embeddings;
        next.image_input = engine_.ready.image_input;
        next.fingerprint = engine_.ready.fingerprint;
        // Smoothed over seconds; a car whose engine is gone generates nothing.
        next.tokens_per_second = tokens_per_second_;
    }
    next.membership = membership_;
    const bool news = announcement_owed_ || next.reason != announced_.reason ||
                      next.slots_free != announced_.slots_free;
    if (!news && !always)
        return;
    next.sequence = announced_.sequence + 1;
    announced_ = next;
    announced_at_ = now.instant;
    announcement_owed_ = false;
    if (connected_)
        effects.emplace_back(Announce{std::move(next)});
}

}  // namespace idlewatt::agent
