// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Lines of batches at the door: let in by the coordinator, begun only on cars that are free, behind
// every client.
#include <algorithm>

#include "base/fault_point.hpp"
#include "gateway/gateway_core.hpp"

namespace idlewatt::gateway {

namespace {

using wire::ApiErrorCode;

constexpr int status_yielded = 499;  // as for a client that has gone: nobody gets this answer

}  // namespace

void GatewayCore::on(const BatchAsked& event, Now now, Effects& effects) {
    Caller& caller = callers_[event.request];
    caller.request_id = "req_" + core::make_time_ordered_id(now.wall, prng_);
    caller.arrived_at = now.instant;
    caller.is_batch = true;
    auto found = keys_.find(event.key, now.wall);
    if (found.verdict == KeyRing::Verdict::revoked) {
        reject(event.request,
               wire::api_error(ApiErrorCode::invalid_api_key,
                               "The API key of this batch has been revoked."),
               now, effects);
        return;
    }
    if (found.verdict != KeyRing::Verdict::known) {
        // Its key may be younger than the book, or this gateway has none: another one knows it.
        base::reached("gateway.batch_key_unknown");
        callers_.erase(event.request);
        effects.emplace_back(BatchDeferred{event.request});
        return;
    }
    caller.key = std::move(found.key);
    caller.key.limits = {};
    http::Request request;
    request.id = event.request;
    request.body = event.body;
    ask(request, event.task, now, effects);
}

bool GatewayCore::has_free_car(const std::string& model, const CarNeeds& needs) const {
    const scheduler::Slots slots = fleet_.slots(model, needs);
    return connected_ && answers_open_ < answers_max && slots.busy < slots.total &&
           fleet_.offers(model, needs) && exchanges_waiting(model) == 0;
}

Exchange* GatewayCore::line_in_the_way(const Exchange& client) {
    for (auto entry = exchanges_.rbegin(); entry != exchanges_.rend(); ++entry) {
        Exchange& line = entry->second;
        if (!is_batch(line.request))
            break;
        if (line.done || line.head.model != client.head.model)
            continue;
        for (const Answer& answer : line.answers) {
            if (answer.attempt && (!client.needs.fleet ||
                                   fleet_.car(answer.attempt->car).fleet == *client.needs.fleet))
                return &line;
        }
    }
    return nullptr;
}

// What it had is lost, but no client has seen it.
void GatewayCore::yield_to_clients(Now now, Effects& effects) {
    if (waiting_.empty() || now.instant < yields_again_at_)
        return;
    bool yielded = false;
    for (const auto& [request, index] : std::vector<AnswerKey>(waiting_.begin(), waiting_.end())) {
        if (is_batch(request))
            break;
        const Exchange& client = exchanges_.at(request);
        const base::Instant since =
            std::max(client.arrived_at, client.answers[index].waiting_since);
        if (client.done || now.instant - since < batch_yields_after)
            continue;
        Exchange* line = line_in_the_way(client);
        if (line == nullptr)
            continue;
        base::reached("gateway.batch_yielded");
        yielded = true;
        --figures_.requests_started;
        cancel_attempts(*line, now, effects);
        callers_.erase(line->request);
        effects.emplace_back(BatchDeferred{line->request, true});
        finish(*line, status_yielded, now, effects);
    }
    if (!yielded)
        return;
    yields_again_at_ = now.instant + batch_yields_every;
    place_waiting(now, effects);
}

Room GatewayCore::room() const {
    Room room;
    room.connected = connected_ && !stopping_;
    for (const std::string& model : fleet_.models()) {
        const scheduler::Slots slots = fleet_.slots(model, {});
        room.slots_free += slots.total - std::min(slots.busy, slots.total);
    }
    room.clients_wait = !waiting_.empty() && !is_batch(waiting_.begin()->first);
    for (const auto& [request, exchange] : exchanges_) {
        if (is_batch(request))
            break;
        room.clients_served += static_cast<std::size_t>(std::ranges::count_if(
            exchange.answers, [](const Answer& answer) { return answer.attempt.has_value(); }));
    }
    return room;
}

}  // namespace idlewatt::gateway
