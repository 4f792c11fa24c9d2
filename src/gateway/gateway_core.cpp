// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/gateway_core.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/fault_point.hpp"

namespace idlewatt::gateway {

namespace {

constexpr int status_client_gone = 499;
constexpr int status_broken_stream = 500;

}  // namespace

GatewayCore::GatewayCore(GatewayConfig config)
    : config_(std::move(config)),
      prng_(config_.seed),
      keys_(config_.api_key, config_.uses_key_book) {}

Effects GatewayCore::handle(const Event& event, base::Instant now, base::WallTime wall_now) {
    Effects effects = std::exchange(spare_, {});
    if (started_at_ == base::WallTime{})
        started_at_ = wall_now;
    std::visit([&](const auto& e) { on(e, Now{now, wall_now}, effects); }, event);
    for (const http::RequestId request : finished_)
        forget(request);
    finished_.clear();
    return effects;
}

void GatewayCore::take_back(Effects effects) {
    effects.clear();
    if (effects.capacity() <= effects_room_max)
        spare_ = std::move(effects);
}

void GatewayCore::on(const ClientGone& event, Now now, Effects& effects) {
    stop_settling(event.request, now, effects);
    leaving_.erase(event.request);
    callers_.erase(event.request);
    live_.leave(event.request);
    const auto found = exchanges_.find(event.request);
    if (found == exchanges_.end() || found->second.done)
        return;
    cancel_attempts(found->second, now, effects);
    ++figures_.requests_cancelled;
    finish(found->second, status_client_gone, now, effects);
    place_waiting(now, effects);
}

void GatewayCore::on(const Announced& event, Now now, Effects& effects) {
    const FleetView::News news = fleet_.announced(event.announcement, event.fleet, now.instant);
    ++(news.accepted ? announcements_taken_ : announcements_outdated_);
    if (!news.accepted)
        return;
    if (news.reincarnated) {
        lose_attempts_on(news.car, event.announcement.incarnation, "agent_restarted", now, effects);
    }
    place_waiting(now, effects);
}

void GatewayCore::on(const CarLeft& event, Now now, Effects& effects) {
    const auto car = fleet_.left(event.vehicle, event.incarnation, now.instant);
    if (car)
        lose_attempts_on(*car, std::nullopt, "connection_lost", now, effects);
}

void GatewayCore::on(const Unheard& event, Now now, Effects& effects) {
    Place place = find(event.attempt);
    if (place.attempt == nullptr || place.attempt->heard)
        return;
    fleet_.distrust(place.attempt->car, now.instant);
    if (place.is_rival()) {
        drop_rival(*place.exchange, *place.answer, scheduler::Ending::yielded, now, effects);
        return;
    }
    // Nothing was tried: a fleet that has just lost its bus must not look like a bad question, and
    // the wait goes on.
    if (place.answer->attempts_without_progress > 0)
        --place.answer->attempts_without_progress;
    const base::Instant waiting_since = place.answer->waiting_since;
    lose_attempt(*place.exchange, *place.answer, scheduler::Ending::yielded, "nobody_there", now,
                 effects);
    place.answer->waiting_since = waiting_since;
}

void GatewayCore::on(const BusChanged& event, Now now, Effects& effects) {
    connected_ = event.connected;
    if (!connected_) {
        cut_off_at_ = now.instant;
        return;
    }
    connected_at_ = now.instant;
    fleet_.excuse_silence(now.instant);
    for (auto& [request, exchange] : exchanges_) {
        for (Answer& answer : exchange.answers) {
            for (auto* slot : {&answer.attempt, &answer.rival}) {
                if (!*slot)
                    continue;
                (*slot)->heard_at = (*slot)->advanced_at = now.instant;
                ask_again(**slot, now, effects);
            }
        }
    }
    place_waiting(now, effects);
}

void GatewayCore::on(const KeyBookChanged& event, Now, Effects&) {
    keys_.take(event.book);
}

void GatewayCore::on(const KeyBookConfirmed& event, Now, Effects&) {
    keys_.confirm(event.issued_at);
}

// Lines of batches stay where they are: their leases end, and another gateway runs them.
void GatewayCore::on(const Stopping&, Now now, Effects& effects) {
    stopping_ = true;
    live_.dismiss_unless([](const core::KeyId&) { return false; }, effects);
    for (auto& [request, exchange] : exchanges_) {
        if (exchange.done || is_batch(request))
            continue;
        const bool begun = exchange.begun;
        ++figures_.requests_failed;
        fail(exchange,
             begun ? wire::api_error(wire::ApiErrorCode::worker_preempted,
                                     "The gateway is stopping. What was sent is valid; ask again "
                                     "for the rest.")
                   : wire::api_error(wire::ApiErrorCode::no_capacity, std::string(stopping_words)),
             now, effects, retry_after_full_s);
        if (begun && exchange.bytes_written < exchange.bytes_given)
            leaving_.emplace(request, exchange.bytes_given);
    }
}

void GatewayCore::on(const Tick&, Now now, Effects& effects) {
    if (connected_) {
        for (const CarNumber car : fleet_.expire(now.instant))
            lose_attempts_on(car, std::nullopt, "silent", now, effects);
    }
    tend_settling(now, effects);
    tend_live(now, effects);
    yield_to_clients(now, effects);
    for (auto& [request, exchange] : exchanges_) {
        if (exchange.done || !tend_exchange(exchange, now, effects))
            continue;
        for (Answer& answer : exchange.answers) {
            if (answer.attempt) {
                tend_attempt(exchange, answer, now, effects);
            } else if (answer.waiting()) {
                tend_waiting(exchange, answer, now, effects);
            }
            if (exchange.done)
                break;
        }
    }
}

// The cars that still work for it are told to stop; they are owed what the client has.
void GatewayCore::cancel_attempts(Exchange& exchange, Now now, Effects& effects) {
    for (Answer& answer : exchange.answers) {
        if (answer.rival)
            drop_rival(exchange, answer, scheduler::Ending::client_gone, now, effects);
        if (!answer.attempt)
            continue;
        acknowledge(*answer.attempt, now, effects);
        tell(*answer.attempt, core::Cancel{}, effects);
        close_attempt(exchange, answer, answer.attempt, scheduler::Ending::client_gone, true, now,
                      effects);
    }
}

void GatewayCore::fail(Exchange& exchange, const wire::ApiError& error, Now now, Effects& effects,
                       std::optional<std::uint32_t> retry_after_s) {
    cancel_attempts(exchange, now, effects);
    const bool begun = exchange.begun;
    if (begun) {
        // The status line is out: the error goes where the client is reading, and no [DONE].
        write(exchange, wire::error_event(error), now, effects);
        effects.emplace_back(EndResponse{exchange.request});
    } else {
        refuse(exchange.request, error, now, effects, retry_after_s);
    }
    finish(exchange, begun ? status_broken_stream : error.http_status(), now, effects);
}

void GatewayCore::fail_without_capacity(Exchange& exchange, const Answer& answer, Now now,
                                        Effects& effects) {
    ++figures_.requests_failed_no_capacity;
    if (exchange.broken_off(answer) || answer.attempts > 0) {
        base::reached("gateway.worker_preempted");
        std::string message = "The car that was answering left, and no other became free in time. ";
        message += exchange.begun && answer.introduced
                       ? "What was sent is valid; ask again for the rest."
                       : "Nothing of the answer was sent; ask again.";
        fail(exchange, wire::api_error(wire::ApiErrorCode::worker_preempted, std::move(message)),
             now, effects);
    } else {
        base::reached("gateway.queue_timeout");
        const auto waited_s = (now.instant - exchange.arrived_at).whole_milliseconds() / 1000;
        fail(exchange,
             wire::api_error(wire::ApiErrorCode::no_capacity,
                             "The request waited for a free car, and within " +
                                 std::to_string(waited_s) + " s none could take it."),
             now, effects, retry_after_empty_s);
    }
}

// Loops over all exchanges may be under way: it is taken out when the event has been handled.
void GatewayCore::finish(Exchange& exchange, int status, Now now, Effects& effects) {
    IDLEWATT_ASSERT(!exchange.done);
    exchange.done = true;
    finished_.push_back(exchange.request);
    if (live_.watched())
        tell_end(exchange, status);
    for (const Answer& answer : exchange.answers)
        waiting_.erase({exchange.request, answer.index()});
    for (core::Delivery& delivery : exchange.deliveries) {
        // The client has either the whole answer or nothing of it.
        if (status != 200)
            delivery.delivered_tokens = 0;
        effects.emplace_back(Record{std::move(delivery)});
    }
    exchange.deliveries.clear();
    std::uint64_t used = 0;
    for (const Answer& answer : exchange.answers)
        used += answer.finished ? answer.completion_tokens : answer.resume.tokens;
    const wire::Usage told = usage(exchange);
    used += told.prompt_tokens;
    if (exchange.limited)
        limiter_.ended(exchange.key, exchange.tokens_reserved, used, now.instant);
    count_request(exchange, status, told, used - told.prompt_tokens, now);
}

void GatewayCore::forget(http::RequestId request) {
    const auto found = exchanges_.find(request);
    if (found == exchanges_.end())
        return;
    for (const Answer& answer : found->second.answers)
        IDLEWATT_ASSERT(!answer.attempt && !answer.rival);
    answers_open_ -= found->second.answers.size();
    request_bytes_held_ -= found->second.bytes_held;
    exchanges_.erase(found);
}

GatewayCore::Place GatewayCore::find(const core::AttemptId& attempt) {
    const auto found = by_attempt_.find(attempt);
    if (found == by_attempt_.end())
        return {};
    Exchange& exchange = exchanges_.at(found->second.first);
    Answer& answer = exchange.answers[found->second.second];
    const bool rival = answer.rival && answer.rival->id == attempt;
    return {&exchange, &answer, rival ? &*answer.rival : &*answer.attempt};
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

// A prompt's tokens count once, however many choices it has.
wire::Usage GatewayCore::usage(const Exchange& exchange) {
    wire::Usage usage;
    std::uint32_t prompt_tokens = 0;
    std::uint32_t cached_tokens = 0;
    for (const Answer& answer : exchange.answers) {
        if (answer.index() % exchange.asked.n == 0)
            prompt_tokens = cached_tokens = 0;
        prompt_tokens = std::max(prompt_tokens, answer.prompt_tokens);
        if (answer.finished) {
            cached_tokens = std::max(cached_tokens, answer.finished->cached_tokens);
            usage.completion_tokens += answer.completion_tokens;
            usage.reasoning_tokens += answer.reasoning_tokens;
        }
        if ((answer.index() + 1) % exchange.asked.n == 0) {
            usage.prompt_tokens += prompt_tokens;
            usage.cached_tokens += cached_tokens;
        }
    }
    return usage;
}

wire::GatewayFigures GatewayCore::figures() const {
    wire::GatewayFigures figures = figures_;
    for (const auto& [request, exchange] : exchanges_) {
        const bool running = std::ranges::any_of(
            exchange.answers, [](const Answer& answer) { return answer.attempt.has_value(); });
        ++(running ? figures.requests_running : figures.requests_waiting);
    }
    figures.migration_gaps_ms.assign(gaps_ms_.begin(), gaps_ms_.end());
    return figures;
}

}  // namespace idlewatt::gateway
