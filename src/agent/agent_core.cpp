// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent/agent_core.hpp"

#include "base/fault_point.hpp"

namespace idlewatt::agent {

AgentCore::AgentCore(CoreConfig config, base::Instant now)
    : config_(std::move(config)),
      model_plan_(config_.model, config_.seed),
      renewal_plan_(config_.credentials, config_.seed + 1),
      membership_(config_.membership),
      ticked_at_(now),
      announced_at_(now),
      rate_since_(now) {}

Effects AgentCore::handle(const Event& event, base::Instant now, base::WallTime wall_now) {
    Effects effects;
    const Now both{now, wall_now};
    if (now - ticked_at_ > asleep_after)
        wake_up(both, effects);
    std::visit([&](const auto& e) { on(e, both, effects); }, event);
    return effects;
}

// Time has passed that this process did not see. The gateways have gone on without it.
void AgentCore::wake_up(Now now, Effects& effects) {
    ticked_at_ = now.instant;
    ticks_until_awake_ = ticks_to_wake_up;
    base::reached("agent.woke_up");
    while (!attempts_.empty()) {
        const core::AttemptId id = attempts_.begin()->first;
        abandon(id, now, effects);
    }
    judge(now, effects);
}

// Its gateway is not heard any more. What ended for a reason of its own keeps it; a finish that
// was never acknowledged is none.
void AgentCore::abandon(const core::AttemptId& id, Now now, Effects& effects) {
    const Attempt& attempt = attempts_.at(id);
    const bool ended = attempt.state() == Attempt::State::ended;
    if (attempt.state() == Attempt::State::running)
        effects.emplace_back(CancelStream{id});
    const bool has_reason = ended && attempt.outcome != core::AttemptEnd::finished;
    close(id, has_reason ? attempt.outcome : core::AttemptEnd::lease_expired, now, effects);
}

void AgentCore::on(const SignalRead& event, Now now, Effects& effects) {
    signals_.set(event.signal, event.reading);
    judge(now, effects);
}

void AgentCore::on(const PieceMade& event, Now now, Effects& effects) {
    const auto found = attempts_.find(event.attempt);
    if (found == attempts_.end() || found->second.state() != Attempt::State::running)
        return;
    Attempt& attempt = found->second;
    rate_tokens_ += event.piece.token_count;
    say(attempt, attempt.number(event.piece), effects);
    pace(attempt, effects);
    if (now.instant - attempt.draft_kept_at >= draft_period) {
        attempt.draft_kept_at = now.instant;
        effects.emplace_back(
            KeepDraft{attempt.receipt(core::AttemptEnd::interrupted, now.instant)});
    }
}

void AgentCore::on(const EmbeddingMade& event, Now, Effects& effects) {
    const auto found = attempts_.find(event.attempt);
    if (found == attempts_.end() || found->second.state() != Attempt::State::running)
        return;
    Attempt& attempt = found->second;
    say(attempt, attempt.number(event.embedding), effects);
    pace(attempt, effects);
}

void AgentCore::on(const StreamEnded& event, Now now, Effects& effects) {
    const auto found = attempts_.find(event.attempt);
    if (found == attempts_.end() || found->second.state() != Attempt::State::running)
        return;
    Attempt& attempt = found->second;
    switch (event.end.kind) {
        case engine::StreamEnd::Kind::finished:
            attempt.outcome = core::AttemptEnd::finished;
            say(attempt, attempt.end(event.end.finished), effects);
            break;
        case engine::StreamEnd::Kind::rejected:
            attempt.outcome = core::AttemptEnd::finished;
            say(attempt, attempt.end(event.end.rejected), effects);
            break;
        case engine::StreamEnd::Kind::engine_failed:
            yield(attempt, core::Reason::engine_failed, core::AttemptEnd::engine_failed, effects);
            break;
    }
    announce(now, false, effects);
    steer_engine(now, effects);
}

void AgentCore::on(const BusChanged& event, Now now, Effects& effects) {
    connected_ = event.connected;
    if (!connected_)
        return;
    announce(now, true, effects);
    model_plan_.ask_now(now.instant);
    renewal_plan_.ask_now(now.instant);
}

void AgentCore::on(const Terminating&, Now now, Effects& effects) {
    terminating_ = true;
    for (auto& [id, attempt] : attempts_) {
        if (attempt.state() != Attempt::State::running)
            continue;
        effects.emplace_back(CancelStream{id});
        yield(attempt, core::Reason::draining, core::AttemptEnd::drained, effects);
    }
    announce(now, true, effects);
    steer_engine(now, effects);
}

void AgentCore::on(const Tick&, Now now, Effects& effects) {
    ticked_at_ = now.instant;
    if (ticks_until_awake_ > 0)
        --ticks_until_awake_;
    judge(now, effects);
    tend_attempts(now, effects);
    steer_plans(now, effects);
    const base::Duration measured = now.instant - rate_since_;
    if (measured >= base::seconds(1)) {
        // Half the past, half the present: steady within a few seconds, quick to fall.
        const double rate = static_cast<double>(rate_tokens_) / measured.seconds();
        tokens_per_second_ = 0.5 * tokens_per_second_ + 0.5 * rate;
        if (tokens_per_second_ < 0.05)
            tokens_per_second_ = 0.0;
        rate_since_ = now.instant;
        rate_tokens_ = 0;
    }
    announce(now, now.instant - announced_at_ >= core::announcement_period, effects);
}

void AgentCore::tend_attempts(Now now, Effects& effects) {
    std::vector<core::AttemptId> settled;
    std::vector<core::AttemptId> expired;
    for (auto& [id, attempt] : attempts_) {
        if (attempt.settled()) {
            settled.push_back(id);
        } else if (attempt.lease_expired(now.instant)) {
            expired.push_back(id);
        } else if (now.instant - attempt.alive_said_at >= core::alive_period) {
            attempt.alive_said_at = now.instant;
            say(attempt, attempt.alive(), effects);
        }
    }
    for (const core::AttemptId& id : settled)
        close(id, attempts_.at(id).outcome, now, effects);
    for (const core::AttemptId& id : expired) {
        base::reached("agent.lease_expired");
        abandon(id, now, effects);
    }
    if (!settled.empty() || !expired.empty()) {
        announce(now, false, effects);
        steer_engine(now, effects);
    }
}

void AgentCore::yield(Attempt& attempt, core::Reason reason, core::AttemptEnd outcome,
                      Effects& effects) {
    attempt.outcome = outcome;
    say(attempt, attempt.end(core::Yielded{reason}), effects);
}

void AgentCore::say(const Attempt& attempt, core::FromCar message, Effects& effects) const {
    effects.emplace_back(Say{attempt.gateway(), attempt.id(), std::move(message)});
}

// Stops reading from the engine while too much is unacknowledged.
void AgentCore::pace(Attempt& attempt, Effects& effects) const {
    if (attempt.state() != Attempt::State::running)
        return;
    const bool full = attempt.window_full();
    if (full == attempt.paused)
        return;
    attempt.paused = full;
    if (full)
        base::reached("agent.paused");
    effects.emplace_back(PauseStream{attempt.id(), full});
}

// The id by value: callers name it by the attempt that ends here.
void AgentCore::close(core::AttemptId id, core::AttemptEnd end, Now now, Effects& effects) {
    const auto found = attempts_.find(id);
    const Attempt& attempt = found->second;
    // An attempt that never ran has done nothing that could be paid or billed.
    if (attempt.state() != Attempt::State::receiving) {
        effects.emplace_back(CloseReceipt{attempt.receipt(end, now.instant)});
    }
    attempts_.erase(found);
    closed_.insert(id);
    closed_order_.push_back(std::move(id));
    if (closed_order_.size() > closed_attempts_remembered) {
        closed_.erase(closed_order_.front());
        closed_order_.pop_front();
    }
}

}  // namespace idlewatt::agent
