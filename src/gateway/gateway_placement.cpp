// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Which car answers next, and what happens when it cannot.
#include <algorithm>

#include "base/assert.hpp"
#include "base/fault_point.hpp"
#include "gateway/gateway_core.hpp"

namespace idlewatt::gateway {

namespace {

std::vector<std::string> cut_into_parts(const std::string& bytes) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at == 0 || at < bytes.size(); at += core::message_part_bytes_max) {
        parts.push_back(bytes.substr(at, core::message_part_bytes_max));
    }
    return parts;
}

}  // namespace

void GatewayCore::place(Answer& answer, Now now, Effects& effects) {
    if (answer.attempts_without_progress >= fruitless_attempts_max) {
        ++figures_.requests_failed;
        fail(answer, 502, "engine_failed",
             "Several cars tried and none could answer this request. It is not tried again.",
             effects);
        return;
    }
    open(answer, now, effects);
}

// If nobody is ready now the answer goes on waiting.
void GatewayCore::open(Answer& answer, Now now, Effects& effects) {
    IDLEWATT_ASSERT(!answer.attempt);
    if (!connected_)
        return;
    if (answer.chat.model.empty()) {
        // It came before any car had announced a model.
        const std::vector<std::string> models = fleet_.models();
        if (models.empty())
            return;
        answer.chat.model = answer.head.model = models.front();
    }
    std::erase_if(answer.avoided,
                  [&](const auto& avoided) { return avoided.second <= now.instant; });
    std::vector<CarNumber> excluded;
    for (const auto& [car, until] : answer.avoided)
        excluded.push_back(car);
    const auto chosen = fleet_.choose(answer.chat.model, prng_, excluded);
    if (!chosen)
        return;

    const Car& car = fleet_.car(*chosen);
    ++answer.attempts;
    ++answer.attempts_without_progress;
    ++figures_.attempts;
    if (answer.resume.tokens > 0) {
        ++figures_.migrations;
        base::reached("gateway.migrated");
        if (base::fault_point("gateway.wrong_resume_count"))
            --answer.resume.tokens;
    }
    OpenAttempt attempt;
    attempt.id = core::AttemptId(answer.work.value + "-" + std::to_string(answer.attempts));
    attempt.car = *chosen;
    attempt.vehicle = car.said.vehicle;
    attempt.incarnation = car.said.incarnation;
    const std::string work =
        wire::encode(core::Work{answer.work, answer.chat.model, answer.chat.json, answer.resume});
    attempt.work_bytes = work.size();
    attempt.tokens_before = answer.resume.tokens;
    attempt.parts = cut_into_parts(work);
    attempt.heard_at = attempt.advanced_at = attempt.acknowledged_at = attempt.repeated_at =
        now.instant;
    by_attempt_.emplace(attempt.id, answer.work);
    answer.attempt = std::move(attempt);
    fleet_.attempt_began(*chosen);
    send_parts(*answer.attempt, 0, effects);
}

void GatewayCore::send_parts(OpenAttempt& attempt, std::size_t from, Effects& effects) {
    const auto count = static_cast<std::uint32_t>(attempt.parts.size());
    for (std::size_t i = from; i < attempt.parts.size(); ++i) {
        if (i == 0) {
            effects.emplace_back(Tell{
                attempt.vehicle, attempt.incarnation, attempt.id,
                core::Open{config_.gateway, count, attempt.work_bytes, attempt.parts[0]}, true});
        } else {
            tell(attempt, core::Body{static_cast<std::uint32_t>(i), attempt.parts[i]}, effects);
        }
    }
}

// Answers that were already begun come first: their clients have seen half a sentence.
void GatewayCore::place_waiting(Now now, Effects& effects) {
    for (const bool begun : {true, false}) {
        for (auto& [work, answer] : answers_) {
            if (answer.done || answer.attempt || answer.broken_off() != begun)
                continue;
            place(answer, now, effects);
        }
    }
}

void GatewayCore::lose_attempt(Answer& answer, Now now, Effects& effects) {
    // If it still lives, it is owed what the client has, and must not go on.
    acknowledge(*answer.attempt, now, effects);
    tell(*answer.attempt, core::Cancel{}, effects);
    move_on(answer, now, effects);
}

// Elsewhere, from the last token that the client was given.
void GatewayCore::move_on(Answer& answer, Now now, Effects& effects) {
    answer.avoided.emplace_back(answer.attempt->car, now.instant + avoid_for);
    drop_attempt(answer);
    answer.waiting_since = now.instant;
    if (answer.resume.tokens > 0 && !answer.gap_from)
        answer.gap_from = answer.piece_at;
    place(answer, now, effects);
}

void GatewayCore::lose_attempts_on(CarNumber car, std::optional<core::Incarnation> except, Now now,
                                   Effects& effects) {
    for (auto& [work, answer] : answers_) {
        if (answer.attempt && answer.attempt->car == car && answer.attempt->incarnation != except) {
            lose_attempt(answer, now, effects);
        }
    }
}

void GatewayCore::drop_attempt(Answer& answer) {
    if (!answer.attempt)
        return;
    by_attempt_.erase(answer.attempt->id);
    fleet_.attempt_ended(answer.attempt->car);
    answer.attempt.reset();
}

void GatewayCore::tend_waiting(Answer& answer, Now now, Effects& effects) {
    const bool migrating = answer.broken_off();
    const base::Duration limit = migrating ? migration_time_max : waiting_time_max;
    const base::Instant since = migrating ? answer.waiting_since : answer.arrived_at;
    if (now.instant - since > limit) {
        fail_without_capacity(answer, effects);
        return;
    }
    if (answer.begun && now.instant - answer.comment_at >= comment_period) {
        answer.comment_at = now.instant;
        write(answer, wire::comment_event("waiting for a car"), effects);
    }
    // Cars that this answer avoided for a while may be its only hope.
    if (!answer.avoided.empty())
        place(answer, now, effects);
}

}  // namespace idlewatt::gateway
