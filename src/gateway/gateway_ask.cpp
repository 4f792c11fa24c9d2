// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The door: what a question is checked for before it may wait for a car.
#include <algorithm>

#include "base/assert.hpp"
#include "base/fault_point.hpp"
#include "gateway/gateway_core.hpp"
#include "wire/chat.hpp"
#include "wire/completion.hpp"
#include "wire/embedding.hpp"

namespace idlewatt::gateway {

namespace {

using wire::ApiErrorCode;

tl::expected<wire::ApiRequest, wire::ApiError> parse(core::Task task, std::string_view body) {
    switch (task) {
        case core::Task::chat:
            return wire::parse_chat_request(body);
        case core::Task::completion:
            return wire::parse_completion_request(body);
        case core::Task::embedding:
            return wire::parse_embedding_request(body);
    }
    base::assertion_failed("closed enum Task", __FILE__, __LINE__);
}

std::size_t works_bytes(const wire::ApiRequest& asked) {
    std::size_t bytes = 0;
    for (const std::string& work : asked.works)
        bytes += work.size();
    return bytes;
}

// What the request may cost at most, before anybody has counted its tokens.
std::uint64_t tokens_expected(const wire::ApiRequest& asked) {
    const std::uint64_t choices = asked.works.size();
    const std::uint64_t prompts = asked.works.empty() ? 0 : works_bytes(asked) / asked.n;
    const std::uint64_t each = asked.task == core::Task::embedding
                                   ? 0
                                   : asked.max_tokens.value_or(tokens_reserved_default);
    return prompts / bytes_per_token_assumed + choices * each;
}

std::optional<std::string> header_of(const http::Request& request, std::string_view name) {
    const auto found = request.headers.find(name);
    return found == request.headers.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

void GatewayCore::ask(const http::Request& request, core::Task task, Now now, Effects& effects) {
    Caller& caller = callers_.at(request.id);
    caller.generates = true;
    auto asked = parse(task, request.body);
    if (!asked) {
        reject(request.id, asked.error(), now, effects);
        return;
    }
    const std::string* const model = fleet_.default_model();
    if (asked->model.empty() && model != nullptr)
        asked->model = *model;
    // A line of a batch waits: the coordinator knows its model, and cars may yet announce it.
    if (!caller.is_batch && model != nullptr && !fleet_.knows_model(asked->model)) {
        reject(request.id,
               wire::api_error(
                   ApiErrorCode::model_not_found,
                   "There is no model '" + asked->model + "'; GET /v1/models lists what there is."),
               now, effects);
        return;
    }
    CarNeeds needs;
    if (const auto error = check_placement(*asked, caller, request, needs)) {
        reject(request.id, *error, now, effects);
        return;
    }
    const std::uint64_t tokens = tokens_expected(*asked);
    if (caller.is_batch) {
        asked->stream = asked->include_usage = false;
        if (has_free_car(asked->model, needs)) {
            start(request, std::move(*asked), std::move(needs), tokens, now, effects);
        } else {
            callers_.erase(request.id);
            effects.emplace_back(BatchDeferred{request.id});
        }
        return;
    }
    const bool full = answers_open_ + asked->works.size() > answers_max ||
                      request_bytes_held_ + works_bytes(*asked) > request_bytes_held_max;
    const scheduler::Crowd crowd = this->crowd(asked->model, needs, now);
    const scheduler::AdmissionAnswer admission = admit(crowd, asked->model);
    if (full || admission.admission == scheduler::Admission::crowded) {
        base::reached("gateway.queue_full");
        reject(
            request.id,
            wire::api_error(ApiErrorCode::fleet_busy, "All cars are busy and the queue is full."),
            now, effects, full ? retry_after_full_s : admission.retry_after_s);
    } else if (admission.admission == scheduler::Admission::nobody) {
        base::reached("gateway.nobody");
        ++figures_.requests_started;
        ++figures_.requests_failed_no_capacity;
        const wire::ApiError error = nobody_error(crowd);
        metrics_->add(metrics::Metric::rejections, {wire::info(error.code).name});
        refuse(request.id, error, now, effects, admission.retry_after_s);
    } else if (within_limits(request, tokens, now, effects)) {
        start(request, std::move(*asked), std::move(needs), tokens, now, effects);
    }
}

// The strictest of what the key, the header and the body say holds.
std::optional<wire::ApiError> GatewayCore::check_placement(const wire::ApiRequest& asked,
                                                           Caller& caller,
                                                           const http::Request& request,
                                                           CarNeeds& needs) const {
    caller.data_class =
        std::max(caller.key.data_class, asked.data_class.value_or(core::DataClass::any_car));
    if (const auto text = header_of(request, data_class_header)) {
        const auto named = core::data_class(*text);
        if (!named) {
            return wire::api_error(ApiErrorCode::invalid_value,
                                   std::string(data_class_header) + " is '" + *text +
                                       "'; it takes public, own_fleet or refuse.",
                                   std::string(data_class_header));
        }
        caller.data_class = std::max(caller.data_class, *named);
    }
    if (caller.data_class == core::DataClass::refuse) {
        return wire::api_error(ApiErrorCode::data_class_refused,
                               "The data class 'refuse' lets this request go to no car. Ask with "
                               "another key, or without that class.");
    }
    if (caller.data_class == core::DataClass::own_fleet) {
        if (caller.key.fleet.empty()) {
            return wire::api_error(ApiErrorCode::data_class_refused,
                                   "The data class 'own_fleet' needs a key that belongs to a "
                                   "fleet, and this key belongs to none.");
        }
        needs.fleet = caller.key.fleet;
    }
    // Before any car has spoken nothing is known of what they can. A line of a batch is not refused
    // for who is here now.
    const bool known = !caller.is_batch && fleet_.knows_model(asked.model);
    CarNeeds able;
    if (asked.task == core::Task::embedding) {
        able.abilities = scheduler::makes_embeddings;
        if (known && !fleet_.offers(asked.model, able)) {
            return wire::api_error(ApiErrorCode::unsupported_parameter,
                                   "No car makes embeddings with the model '" + asked.model +
                                       "'. GET /v1/models tells which models do.",
                                   "model");
        }
    } else if (asked.has_images) {
        able.abilities = scheduler::takes_images;
        if (known && !fleet_.offers(asked.model, able)) {
            return wire::api_error(ApiErrorCode::unsupported_parameter,
                                   "The model '" + asked.model +
                                       "' takes no images. Send text only, or ask another model.",
                                   "messages");
        }
    }
    needs.abilities = able.abilities;
    if (needs.fleet && known && !fleet_.offers(asked.model, needs)) {
        return wire::api_error(ApiErrorCode::no_capacity,
                               "No car of the fleet '" + *needs.fleet + "' holds the model '" +
                                   asked.model + "', and the data class lets it go to no other.");
    }
    return std::nullopt;
}

std::size_t GatewayCore::exchanges_waiting(const std::string& model) const {
    std::size_t count = 0;
    std::optional<http::RequestId> last;
    for (const auto& [request, index] : waiting_) {
        if (is_batch(request))
            break;
        if (last == request)
            continue;
        last = request;
        const std::string& waits_for = exchanges_.at(request).head.model;
        count += waits_for == model || waits_for.empty() ? 1 : 0;
    }
    return count;
}

scheduler::Crowd GatewayCore::crowd(const std::string& model, const CarNeeds& needs,
                                    Now now) const {
    const scheduler::Slots slots = fleet_.slots(model, needs);
    scheduler::Crowd crowd;
    crowd.slots_total = slots.total;
    // Without a bus nobody gets anything.
    crowd.slots_free = connected_ ? slots.total - slots.busy : 0;
    const auto state = models_.find(model);
    if (state != models_.end())
        crowd.service_time = state->second.service.mean();
    if (connected_ && slots.total == 0) {
        const auto expected_since = fleet_.expected_since(model, needs);
        const base::Instant since =
            std::max({fleet_.served_until(model, needs).value_or(connected_at_), connected_at_,
                      expected_since.value_or(connected_at_)});
        crowd.nobody_for = now.instant - since;
        crowd.car_expected = expected_since.has_value();
    }
    return crowd;
}

scheduler::AdmissionAnswer GatewayCore::admit(scheduler::Crowd crowd,
                                              const std::string& model) const {
    crowd.waiting = exchanges_waiting(model);
    // Those that wait already take what is free.
    crowd.slots_free -= std::min(crowd.slots_free, crowd.waiting);
    return scheduler::admit(crowd, {waiting_time_max, waiting_max});
}

wire::ApiError GatewayCore::nobody_error(const scheduler::Crowd& crowd) {
    return crowd.car_expected
               ? wire::api_error(ApiErrorCode::model_loading,
                                 "The cars that could serve this are still loading the model.")
               : wire::api_error(ApiErrorCode::no_capacity,
                                 "No car that could serve this is ready.");
}

// While it waited, or before its car had said anything, the last one left, and none is about to
// come: the client had better know.
bool GatewayCore::refuse_hopeless(Exchange& exchange, const Answer& answer, Now now,
                                  Effects& effects) {
    const bool gets_on = std::ranges::any_of(exchange.answers, [](const Answer& one) {
        return one.attempt || one.finished || one.resume.tokens > 0;
    });
    if (gets_on || exchange.broken_off(answer) || is_batch(exchange.request))
        return false;
    const scheduler::Crowd crowd = this->crowd(exchange.head.model, exchange.needs, now);
    const auto admission = scheduler::admit(crowd, {waiting_time_max, waiting_max});
    if (admission.admission != scheduler::Admission::nobody)
        return false;
    base::reached("gateway.hopeless");
    ++figures_.requests_failed_no_capacity;
    fail(exchange, nobody_error(crowd), now, effects, admission.retry_after_s);
    return true;
}

bool GatewayCore::within_limits(const http::Request& request, std::uint64_t tokens, Now now,
                                Effects& effects) {
    Caller& caller = callers_.at(request.id);
    if (caller.key.limits == core::KeyLimits{})
        return true;
    const scheduler::RateAnswer rate =
        limiter_.ask(caller.key.id, caller.key.limits, tokens, now.instant);
    caller.requests_left = rate.requests;
    caller.tokens_left = rate.tokens;
    std::string_view what;
    switch (rate.verdict) {
        case scheduler::RateVerdict::admitted:
            return true;
        case scheduler::RateVerdict::requests:
            what = "This key has used up its requests of this minute.";
            break;
        case scheduler::RateVerdict::tokens:
            what = "This key has used up its tokens of this minute.";
            break;
        case scheduler::RateVerdict::at_once:
            what = "This key has as many requests open as it may.";
            break;
        case scheduler::RateVerdict::too_large:
            what =
                "This request may need more tokens than the key has in a whole minute. Ask for "
                "fewer with max_tokens.";
            break;
    }
    base::reached("gateway.rate_limited");
    reject(request.id, wire::api_error(ApiErrorCode::rate_limit_exceeded, std::string(what)), now,
           effects, rate.retry_after_s.value_or(0));
    return false;
}

void GatewayCore::start(const http::Request& request, wire::ApiRequest asked, CarNeeds needs,
                        std::uint64_t tokens_reserved, Now now, Effects& effects) {
    const Caller& caller = callers_.at(request.id);
    ++figures_.requests_started;
    Exchange& exchange = exchanges_[request.id];
    exchange.request = request.id;
    exchange.head.work = core::WorkId(core::make_time_ordered_id(now.wall, prng_));
    exchange.head.model = asked.model;
    exchange.head.created = now.wall;
    exchange.head.include_usage = asked.include_usage;
    exchange.head.task = asked.task;
    exchange.head.top_logprobs = asked.top_logprobs;
    // Whatever tier was asked for, there is one.
    if (!asked.service_tier.empty())
        exchange.head.service_tier = "default";
    exchange.needs = std::move(needs);
    exchange.key = caller.key.id;
    exchange.limited = caller.key.limits != core::KeyLimits{};
    exchange.tokens_reserved = tokens_reserved;
    exchange.arrived_at = exchange.progress_at = exchange.given_at = now.instant;
    exchange.bytes_held = works_bytes(asked);
    request_bytes_held_ += exchange.bytes_held;
    exchange.asked = std::move(asked);
    const std::vector<std::string>& echoes = exchange.asked.echoes;
    exchange.answers.resize(exchange.asked.works.size());
    answers_open_ += exchange.answers.size();
    for (std::uint32_t index = 0; index < exchange.answers.size(); ++index) {
        Answer& answer = exchange.answers[index];
        answer.streamed.index = index;
        if (index < echoes.size())
            answer.whole = wire::echoed_choice(echoes[index]);
        const std::string& name = exchange.head.work.value;
        answer.work = core::WorkId(index == 0 ? name : name + "_" + std::to_string(index));
        answer.vectors.resize(exchange.asked.inputs);
        answer.waiting_since = now.instant;
        waiting_.emplace(request.id, index);
    }
    for (Answer& answer : exchange.answers) {
        if (!exchange.done)
            place(exchange, answer, now, effects);
    }
}

// Turned away before anything was begun.
void GatewayCore::reject(http::RequestId request, const wire::ApiError& error, Now now,
                         Effects& effects, std::optional<std::uint32_t> retry_after_s) {
    ++figures_.requests_rejected;
    metrics_->add(metrics::Metric::rejections, {wire::info(error.code).name});
    refuse(request, error, now, effects, retry_after_s);
}

}  // namespace idlewatt::gateway
