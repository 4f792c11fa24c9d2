// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Which car answers next, and what happens when it cannot.
#include <algorithm>

#include "base/assert.hpp"
#include "base/fault_point.hpp"
#include "gateway/gateway_core.hpp"

namespace idlewatt::gateway {

namespace {

std::vector<std::string> cut_into_parts(std::string bytes) {
    std::vector<std::string> parts;
    if (bytes.size() <= core::message_part_bytes_max) {
        parts.push_back(std::move(bytes));
        return parts;
    }
    for (std::size_t at = 0; at < bytes.size(); at += core::message_part_bytes_max) {
        parts.push_back(bytes.substr(at, core::message_part_bytes_max));
    }
    return parts;
}

}  // namespace

void GatewayCore::place(Exchange& exchange, Answer& answer, Now now, Effects& effects) {
    IDLEWATT_ASSERT(answer.waiting());
    if (answer.attempts_without_progress >= fruitless_attempts_max) {
        ++figures_.requests_failed;
        fail(exchange,
             wire::api_error(
                 wire::ApiErrorCode::engine_failed,
                 "Several cars tried and none could answer this request. It is not tried again."),
             now, effects);
        return;
    }
    open(exchange, answer, answer.attempt, now, effects);
}

OpenAttempt GatewayCore::new_attempt(const Exchange& exchange, const Answer& answer,
                                     CarNumber number, Now now) const {
    const Car& car = fleet_.car(number);
    OpenAttempt attempt;
    attempt.id = core::AttemptId(answer.work.value + "-" + std::to_string(answer.attempts));
    attempt.car = number;
    attempt.vehicle = car.said.vehicle;
    attempt.incarnation = car.said.incarnation;
    attempt.record.gateway = config_.gateway;
    attempt.record.vehicle = attempt.vehicle;
    attempt.record.work = answer.work;
    attempt.record.attempt = attempt.id;
    attempt.record.key = exchange.key;
    attempt.record.model = exchange.head.model;
    attempt.record.started_at = now.wall;
    std::string work =
        wire::encode_work(answer.work, exchange.head.model, exchange.work_json(answer),
                          answer.resume, exchange.asked.task);
    attempt.work_bytes = work.size();
    attempt.tokens_before = answer.resume.tokens;
    attempt.parts = cut_into_parts(std::move(work));
    attempt.opened_at = attempt.heard_at = attempt.advanced_at = attempt.acknowledged_at =
        attempt.repeated_at = now.instant;
    return attempt;
}

// False: nobody is ready now. The slot is empty.
bool GatewayCore::open(Exchange& exchange, Answer& answer, std::optional<OpenAttempt>& slot,
                       Now now, Effects& effects) {
    if (!connected_)
        return false;
    if (exchange.head.model.empty()) {
        // It came before any car had announced a model.
        const std::string* const model = fleet_.default_model();
        if (model == nullptr)
            return false;
        exchange.head.model = *model;
    }
    std::erase_if(answer.avoided,
                  [&](const auto& avoided) { return avoided.second <= now.instant; });
    std::vector<CarNumber> excluded;
    for (const auto& [car, until] : answer.avoided)
        excluded.push_back(car);
    if (answer.attempt)
        excluded.push_back(answer.attempt->car);
    ModelState& state = models_[exchange.head.model];
    scheduler::Wish wish;
    wish.excluded = excluded;
    // Embeddings leave nothing in a cache that the next one could use.
    if (exchange.asked.task != core::Task::embedding)
        wish.affinity = exchange.asked.affinity;
    wish.stay = state.service.mean();
    // Whose client has seen half a sentence does not wait for a better car.
    const bool urgent = !answer.attempt && exchange.broken_off(answer);
    const auto chosen = fleet_.choose(exchange.head.model, exchange.needs, wish, urgent, prng_);
    if (!chosen)
        return false;

    metrics_->add(metrics::Metric::placements, {chosen->place == 0U ? "affinity" : "other"});
    ++answer.attempts;
    ++answer.attempts_without_progress;
    ++figures_.attempts;
    if (answer.attempts == 1)
        state.hedge.request_started();
    if (answer.attempts == 1)
        count_queue_wait(exchange, now);
    if (answer.resume.tokens > 0) {
        ++figures_.migrations;
        base::reached("gateway.migrated");
        if (base::fault_point("gateway.wrong_resume_count"))
            --answer.resume.tokens;
    }
    OpenAttempt attempt = new_attempt(exchange, answer, chosen->car, now);
    by_attempt_.emplace(attempt.id, AnswerKey{exchange.request, answer.index()});
    slot = std::move(attempt);
    waiting_.erase({exchange.request, answer.index()});
    fleet_.attempt_began(chosen->car, now.instant);
    send_parts(*slot, 0, effects);
    return true;
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
    if (waiting_.empty())
        return;
    const std::vector<AnswerKey> waiting(waiting_.begin(), waiting_.end());
    for (const bool begun : {true, false}) {
        for (const auto& [request, index] : waiting) {
            Exchange& exchange = exchanges_.at(request);
            Answer& answer = exchange.answers[index];
            if (exchange.done || !answer.waiting() || exchange.broken_off(answer) != begun)
                continue;
            place(exchange, answer, now, effects);
        }
    }
}

void GatewayCore::lose_attempt(Exchange& exchange, Answer& answer, scheduler::Ending ending,
                               std::string_view why, Now now, Effects& effects) {
    // If it still lives, it is owed what the client has, and must not go on.
    acknowledge(*answer.attempt, now, effects);
    tell(*answer.attempt, core::Cancel{}, effects);
    const CarNumber car = answer.attempt->car;
    close_attempt(exchange, answer, answer.attempt, ending, true, now, effects);
    move_on(exchange, answer, car, why, now, effects);
}

// Elsewhere, from the last token that the client was given.
void GatewayCore::move_on(Exchange& exchange, Answer& answer, CarNumber from, std::string_view why,
                          Now now, Effects& effects) {
    answer.avoided.emplace_back(from, now.instant + avoid_for);
    answer.waiting_since = now.instant;
    count_lost_attempt(answer, why);
    if (answer.resume.tokens > 0 && !answer.gap_from)
        answer.gap_from = answer.piece_at;
    if (answer.rival) {
        promote_rival(exchange, answer, now, effects);
    } else if (answer.streamed.tool_calls > 0 || !answer.whole.tool_calls.empty()) {
        // So many calls that they could not be held back to the end. They are whole, and another
        // car might make them once more.
        base::reached("gateway.ended_with_calls");
        end_answer(exchange, answer, {core::FinishReason::tool_calls, 0, 0, 0}, now, effects);
    } else {
        place(exchange, answer, now, effects);
    }
}

void GatewayCore::lose_attempts_on(CarNumber car, std::optional<core::Incarnation> except,
                                   std::string_view why, Now now, Effects& effects) {
    if (fleet_.car(car).active == 0)
        return;
    for (auto& [request, exchange] : exchanges_) {
        for (Answer& answer : exchange.answers) {
            if (exchange.done)
                break;
            if (answer.rival && answer.rival->car == car && answer.rival->incarnation != except)
                drop_rival(exchange, answer, scheduler::Ending::silent, now, effects);
            if (answer.attempt && answer.attempt->car == car &&
                answer.attempt->incarnation != except) {
                lose_attempt(exchange, answer, scheduler::Ending::silent, why, now, effects);
            }
        }
    }
}

void GatewayCore::tend_waiting(Exchange& exchange, Answer& answer, Now now, Effects& effects) {
    const bool migrating = exchange.broken_off(answer);
    const base::Duration limit = migrating ? migration_time_max : waiting_time_max;
    base::Instant since = answer.waiting_since;
    // It waits for its own sisters, too: as long as they get on, so does the queue. That the client
    // takes our comments says nothing of that.
    for (const Answer& sister : exchange.answers)
        since = std::max(since, sister.piece_at);
    if (now.instant - since > limit) {
        fail_without_capacity(exchange, answer, now, effects);
        return;
    }
    if (refuse_hopeless(exchange, answer, now, effects))
        return;
    // Cars that this answer avoided for a while may be its only hope.
    if (!answer.avoided.empty())
        place(exchange, answer, now, effects);
}

// The first token is later than that of most others: somebody else may be faster. Only before
// anything was said, so that one of the two can be forgotten.
void GatewayCore::tend_hedge(Exchange& exchange, Answer& answer, Now now, Effects& effects) {
    if (!config_.hedges || is_batch(exchange.request) || answer.rival ||
        answer.attempt->received > 0 || answer.attempts != 1 || answer.resume.tokens > 0)
        return;
    const std::size_t bytes = exchange.work_json(answer).size();
    const base::Duration waited = now.instant - answer.attempt->opened_at;
    scheduler::Hedge& hedge = models_[exchange.head.model].hedge;
    if (!hedge.take(bytes, waited))
        return;
    if (!open(exchange, answer, answer.rival, now, effects)) {
        hedge.give_back();
        return;
    }
    // A race is one try.
    --answer.attempts_without_progress;
    metrics_->add(metrics::Metric::hedges, {"started"});
    base::reached("gateway.hedged");
    hedge.first_token(bytes, waited);
}

void GatewayCore::promote_rival(Exchange& exchange, Answer& answer, Now now, Effects& effects) {
    if (answer.attempt) {
        metrics_->add(metrics::Metric::hedges, {"won"});
        base::reached("gateway.hedge_won");
        tell(*answer.attempt, core::Cancel{}, effects);
        close_attempt(exchange, answer, answer.attempt, scheduler::Ending::client_gone, true, now,
                      effects);
    }
    answer.attempt = std::move(answer.rival);
    answer.rival.reset();
    waiting_.erase({exchange.request, answer.index()});
}

void GatewayCore::drop_rival(Exchange& exchange, Answer& answer, scheduler::Ending ending, Now now,
                             Effects& effects) {
    tell(*answer.rival, core::Cancel{}, effects);
    close_attempt(exchange, answer, answer.rival, ending, true, now, effects);
}

}  // namespace idlewatt::gateway
