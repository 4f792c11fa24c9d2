// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Attempts that have ended while their last pieces are still on the way to a slow client. The car
// keeps its receipt open until it is told that they are there: what is acknowledged is paid, so
// nothing may be acknowledged that the client does not have.
#include "gateway/gateway_core.hpp"

namespace idlewatt::gateway {

// The car's last word was received; whatever the answer does next, this attempt is settled by
// itself. Not streamed: the gateway itself stands for the client.
void GatewayCore::settle(Answer& answer, Now now, Effects& effects) {
    OpenAttempt& attempt = *answer.attempt;
    if (answer.chat.stream && answer.begun) {
        attempt.unwritten.emplace_back(attempt.received, answer.bytes_given);
        attempt.written(answer.bytes_written);
    } else {
        attempt.with_client = attempt.received;
    }
    acknowledge(attempt, now, effects);
    if (attempt.unwritten.empty()) {
        remember_closed(attempt);
    } else if (settling_ids_.size() >= settling_max) {
        tell(attempt, core::Cancel{}, effects);
    } else {
        attempt.ended_at = now.instant;
        attempt.parts.clear();
        settling_ids_.emplace(attempt.id, answer.request);
        settling_[answer.request].push_back(attempt);
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
        stop_settling(request, effects);
}

// The client takes nothing more: the car keeps what has been acknowledged.
void GatewayCore::stop_settling(http::RequestId request, Effects& effects) {
    const auto found = settling_.find(request);
    if (found == settling_.end())
        return;
    for (const OpenAttempt& attempt : found->second) {
        tell(attempt, core::Ack{attempt.with_client}, effects);
        tell(attempt, core::Cancel{}, effects);
        settling_ids_.erase(attempt.id);
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
