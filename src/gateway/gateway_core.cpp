// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/gateway_core.hpp"

#include "base/assert.hpp"
#include "base/fault_point.hpp"

namespace idlewatt::gateway {

GatewayCore::GatewayCore(GatewayConfig config) : config_(std::move(config)), prng_(config_.seed) {}

Effects GatewayCore::handle(const Event& event, base::Instant now, base::WallTime wall_now) {
    Effects effects;
    std::visit([&](const auto& e) { on(e, Now{now, wall_now}, effects); }, event);
    for (const core::WorkId& work : finished_)
        forget(work);
    finished_.clear();
    return effects;
}

void GatewayCore::on(const ClientGone& event, Now now, Effects& effects) {
    stop_settling(event.request, effects);
    const auto found = by_request_.find(event.request);
    if (found == by_request_.end())
        return;
    Answer& answer = answers_.at(found->second);
    if (answer.attempt) {
        acknowledge(*answer.attempt, now, effects);
        tell(*answer.attempt, core::Cancel{}, effects);
    }
    drop_attempt(answer);
    ++figures_.requests_cancelled;
    finish(answer);
}

void GatewayCore::on(const Announced& event, Now now, Effects& effects) {
    const FleetView::News news = fleet_.announced(event.announcement, now.instant);
    if (!news.accepted)
        return;
    if (news.reincarnated) {
        lose_attempts_on(news.car, event.announcement.incarnation, now, effects);
    }
    place_waiting(now, effects);
}

void GatewayCore::on(const CarLeft& event, Now now, Effects& effects) {
    const auto car = fleet_.left(event.vehicle, event.incarnation);
    if (car)
        lose_attempts_on(*car, std::nullopt, now, effects);
}

void GatewayCore::on(const Unheard& event, Now now, Effects& effects) {
    Answer* answer = find(event.attempt);
    if (answer == nullptr || answer->attempt->heard)
        return;
    fleet_.distrust(answer->attempt->car);
    // Nothing was tried: a fleet that has just lost its bus must not look like a bad question.
    --answer->attempts_without_progress;
    lose_attempt(*answer, now, effects);
}

void GatewayCore::on(const BusChanged& event, Now now, Effects& effects) {
    connected_ = event.connected;
    if (!connected_) {
        cut_off_at_ = now.instant;
        return;
    }
    fleet_.excuse_silence(now.instant);
    for (auto& [work, answer] : answers_) {
        if (!answer.attempt)
            continue;
        answer.attempt->heard_at = answer.attempt->advanced_at = now.instant;
        ask_again(*answer.attempt, now, effects);
    }
    place_waiting(now, effects);
}

void GatewayCore::on(const Tick&, Now now, Effects& effects) {
    if (connected_) {
        for (const CarNumber car : fleet_.expire(now.instant)) {
            lose_attempts_on(car, std::nullopt, now, effects);
        }
    }
    tend_settling(now, effects);
    for (auto& [work, answer] : answers_) {
        if (answer.done)
            continue;
        if (answer.attempt) {
            tend_attempt(answer, now, effects);
        } else {
            tend_waiting(answer, now, effects);
        }
    }
}

void GatewayCore::fail(Answer& answer, int status, std::string_view code, std::string_view message,
                       Effects& effects) {
    drop_attempt(answer);
    if (answer.begun) {
        // The status line is out: the error goes where the client is reading, and no [DONE].
        write(answer, wire::error_event(code, message), effects);
        effects.emplace_back(EndResponse{answer.request});
    } else {
        refuse(answer.request, status, code, message, effects);
    }
    finish(answer);
}

void GatewayCore::fail_without_capacity(Answer& answer, Effects& effects) {
    ++figures_.requests_failed_no_capacity;
    if (answer.begun || answer.attempts > 0) {
        base::reached("gateway.worker_preempted");
        fail(answer, 503, "worker_preempted",
             "The car that was answering left, and no other became free in time. What was sent is "
             "valid; ask again for the rest.",
             effects);
    } else {
        base::reached("gateway.queue_timeout");
        fail(answer, 503, "no_capacity",
             "No car was ready in time. Try again after the seconds in Retry-After.", effects);
    }
}

// Loops over all answers may be under way: it is taken out when the event has been handled.
void GatewayCore::finish(Answer& answer) {
    IDLEWATT_ASSERT(!answer.done);
    answer.done = true;
    finished_.push_back(answer.work);
}

void GatewayCore::forget(const core::WorkId& work) {
    const auto found = answers_.find(work);
    if (found == answers_.end())
        return;
    IDLEWATT_ASSERT(!found->second.attempt);
    by_request_.erase(found->second.request);
    request_bytes_held_ -= found->second.chat.json.size();
    answers_.erase(found);
}

Answer* GatewayCore::find(const core::AttemptId& attempt) {
    const auto found = by_attempt_.find(attempt);
    return found == by_attempt_.end() ? nullptr : &answers_.at(found->second);
}

void GatewayCore::tell(const OpenAttempt& attempt, core::ToCar message, Effects& effects) const {
    effects.emplace_back(
        Tell{attempt.vehicle, attempt.incarnation, attempt.id, std::move(message), false});
}

void GatewayCore::remember_closed(const OpenAttempt& attempt) {
    closed_.emplace(attempt.id, attempt.received);
    closed_order_.push_back(attempt.id);
    if (closed_order_.size() > closed_attempts_remembered) {
        closed_.erase(closed_order_.front());
        closed_order_.pop_front();
    }
}

wire::GatewayFigures GatewayCore::figures() const {
    wire::GatewayFigures figures = figures_;
    for (const auto& [work, answer] : answers_) {
        ++(answer.attempt ? figures.requests_running : figures.requests_waiting);
    }
    figures.migration_gaps_ms.assign(gaps_ms_.begin(), gaps_ms_.end());
    return figures;
}

}  // namespace idlewatt::gateway
