// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How attempts end. Some of them while their last pieces are still on the way to a slow client: the
// car keeps its receipt open until it is told that they are there: what is acknowledged is paid, so
// nothing may be acknowledged that the client does not have. And what each brought is recorded.
#include "base/assert.hpp"
#include "gateway/gateway_core.hpp"

namespace idlewatt::gateway {

// The car's last word was received; whatever the answer does next, this attempt is settled by
// itself. Not streamed: the gateway itself stands for the client.
void GatewayCore::settle(Exchange& exchange, Answer& answer, scheduler::Ending ending,
                         std::uint32_t tokens, Now now, Effects& effects) {
    OpenAttempt& attempt = *answer.attempt;
    bool recorded = true;
    if (!attempt.held.empty()) {
        // The client never gets these; the car must not be told that it has.
        acknowledge(attempt, now, effects);
        tell(attempt, core::Cancel{}, effects);
    } else if (exchange.asked.stream && exchange.begun) {
        attempt.unwritten.push_back({attempt.received, exchange.bytes_given, tokens});
        attempt.written(exchange.bytes_written);
        acknowledge(attempt, now, effects);
        if (attempt.unwritten.empty()) {
            remember_closed(attempt);
        } else if (settling_ids_.size() >= settling_max) {
            tell(attempt, core::Cancel{}, effects);
        } else {
            recorded = false;
            attempt.ended_at = now.instant;
            attempt.parts.clear();
            settling_ids_.emplace(attempt.id, exchange.request);
            settling_[exchange.request].push_back(attempt);
        }
    } else {
        attempt.taken(attempt.received, tokens);
        acknowledge(attempt, now, effects);
        remember_closed(attempt);
    }
    close_attempt(exchange, answer, answer.attempt, ending, recorded, now, effects);
}

void GatewayCore::close_attempt(Exchange& exchange, Answer& answer,
                                std::optional<OpenAttempt>& slot, scheduler::Ending ending,
                                bool recorded, Now now, Effects& effects) {
    by_attempt_.erase(slot->id);
    fleet_.attempt_ended(slot->car, ending, now.instant);
    if (recorded)
        record(&exchange, *slot, now, effects);
    slot.reset();
    if (!answer.finished && !answer.rival) {
        // The next car makes all vectors anew.
        for (std::string& vector : answer.vectors) {
            exchange.bytes_held -= vector.size();
            request_bytes_held_ -= vector.size();
            vector.clear();
        }
    }
    if (answer.waiting() && !answer.rival && !exchange.done)
        waiting_.emplace(exchange.request, answer.index());
}

// Of a whole answer nobody knows yet whether the client will have it.
void GatewayCore::record(Exchange* exchange, OpenAttempt& attempt, Now now, Effects& effects) {
    if (!attempt.heard)
        return;  // no car has worked for it
    core::Delivery delivery = std::move(attempt.record);
    delivery.id = core::DeliveryId(core::make_time_ordered_id(now.wall, prng_));
    delivery.duration = now.instant - attempt.opened_at;
    if (exchange != nullptr && !exchange->asked.stream) {
        exchange->deliveries.push_back(std::move(delivery));
    } else {
        effects.emplace_back(Record{std::move(delivery)});
    }
}

void GatewayCore::settle_written(const Written& event, Now now, Effects& effects) {
    const auto found = settling_.find(event.request);
    if (found == settling_.end())
        return;
    std::erase_if(found->second, [&](OpenAttempt& attempt) {
        attempt.written(event.bytes);
        attempt.ended_at = now.instant;
        const bool all = attempt.unwritten.empty();
        if (all || attempt.with_client - attempt.acknowledged >= acknowledge_every)
            acknowledge(attempt, now, effects);
        if (!all)
            return false;
        remember_closed(attempt);
        settling_ids_.erase(attempt.id);
        record(nullptr, attempt, now, effects);
        return true;
    });
    if (found->second.empty())
        settling_.erase(found);
}

// Acknowledgements are the car's lease here too.
void GatewayCore::tend_settling(Now now, Effects& effects) {
    std::vector<http::RequestId> stuck;
    for (auto& [request, attempts] : settling_) {
        for (OpenAttempt& attempt : attempts) {
            if (now.instant - attempt.ended_at > client_stall_max) {
                stuck.push_back(request);
                break;
            }
            if (now.instant - attempt.acknowledged_at >= core::ack_period)
                acknowledge(attempt, now, effects);
        }
    }
    for (const http::RequestId request : stuck)
        stop_settling(request, now, effects);
}

// The client takes nothing more: the car keeps what has been acknowledged.
void GatewayCore::stop_settling(http::RequestId request, Now now, Effects& effects) {
    const auto found = settling_.find(request);
    if (found == settling_.end())
        return;
    for (OpenAttempt& attempt : found->second) {
        tell(attempt, core::Ack{attempt.with_client}, effects);
        tell(attempt, core::Cancel{}, effects);
        settling_ids_.erase(attempt.id);
        record(nullptr, attempt, now, effects);
    }
    settling_.erase(found);
}

const OpenAttempt* GatewayCore::find_settling(const core::AttemptId& id) const {
    const auto found = settling_ids_.find(id);
    if (found == settling_ids_.end())
        return nullptr;
    for (const OpenAttempt& attempt : settling_.at(found->second)) {
        if (attempt.id == id)
            return &attempt;
    }
    return nullptr;
}

}  // namespace idlewatt::gateway
