// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a gateway counts: for Prometheus, and for the coordinator that places models.
#include <algorithm>

#include "base/assert.hpp"
#include "gateway/gateway_core.hpp"

namespace idlewatt::gateway {

namespace {

using metrics::Metric;

std::string_view operation(core::Task task) {
    switch (task) {
        case core::Task::chat:
            return "chat";
        case core::Task::completion:
            return "text_completion";
        case core::Task::embedding:
            return "embeddings";
    }
    base::assertion_failed("closed enum Task", __FILE__, __LINE__);
}

}  // namespace

// A stream that ended in an error event counts as 500, one whose client left as 499.
void GatewayCore::count_request(const Exchange& exchange, int status, const wire::Usage& told,
                                std::uint64_t output_tokens, Now now) {
    const std::string_view kind = operation(exchange.asked.task);
    const std::string& model = exchange.head.model;
    const std::string code = std::to_string(status);
    metrics_->add(Metric::requests, {kind, code});
    metrics_->observe(Metric::request_duration, {kind, model, status == 200 ? "" : code},
                      (now.instant - exchange.arrived_at).seconds());
    metrics_->add(Metric::tokens, {model, "input"}, told.prompt_tokens);
    metrics_->add(Metric::tokens, {model, "output"}, static_cast<double>(output_tokens));
    if (!exchange.first_token_at || exchange.asked.task == core::Task::embedding)
        return;
    metrics_->observe(Metric::time_to_first_token, {kind, model},
                      (*exchange.first_token_at - exchange.arrived_at).seconds());
    if (output_tokens > 1) {
        metrics_->observe(Metric::time_per_output_token, {kind, model},
                          (now.instant - *exchange.first_token_at).seconds() /
                              static_cast<double>(output_tokens - 1));
    }
}

void GatewayCore::count_queue_wait(const Exchange& exchange, Now now) {
    metrics_->observe(Metric::queue_wait, {operation(exchange.asked.task)},
                      (now.instant - exchange.arrived_at).seconds());
}

void GatewayCore::count_lost_attempt(const Answer& answer, std::string_view why) {
    metrics_->add(Metric::preemptions, {why});
    if (answer.resume.tokens > 0)
        metrics_->add(Metric::resumes, {why});
}

void GatewayCore::count_losses() {
    const auto count = [this](std::string_view kind, std::uint64_t lost) {
        metrics_->raise_to(Metric::bus_losses, {kind}, static_cast<double>(lost));
    };
    count("published_while_disconnected", bus_losses_.published_while_disconnected);
    count("published_too_fast", bus_losses_.published_too_fast);
    count("denied", bus_losses_.denied);
}

std::string GatewayCore::metrics_text(base::Instant now, base::WallTime wall_now) {
    const wire::GatewayFigures shown = figures();
    metrics_->set(Metric::queue_depth, {}, static_cast<double>(shown.requests_waiting));
    metrics_->set(Metric::open_requests, {},
                  static_cast<double>(shown.requests_waiting + shown.requests_running));
    metrics_->set(Metric::bus_connected, {}, connected_ ? 1 : 0);
    if (config_.uses_key_book) {
        const std::int64_t age_us = wall_now.us - keys_.book().issued_at.us;
        metrics_->set(Metric::key_book_age, {}, static_cast<double>(age_us) * 1e-6);
    }
    metrics_->raise_to(Metric::announcements, {"taken"}, static_cast<double>(announcements_taken_));
    metrics_->raise_to(Metric::announcements, {"outdated"},
                       static_cast<double>(announcements_outdated_));
    count_losses();
    const FleetView::Census census = fleet_.census(now);
    metrics_->set(Metric::vehicles, {"ready"}, static_cast<double>(census.ready));
    metrics_->set(Metric::vehicles, {"unreachable"}, static_cast<double>(census.unreachable));
    std::size_t ineligible = 0;
    metrics_->clear(Metric::vehicles_ineligible);
    for (const auto& [reason, count] : census.ineligible) {
        ineligible += count;
        metrics_->set(Metric::vehicles_ineligible, {core::name(reason)},
                      static_cast<double>(count));
    }
    metrics_->set(Metric::vehicles, {"ineligible"}, static_cast<double>(ineligible));
    metrics_->set(Metric::vehicle_slots, {"free"}, static_cast<double>(census.slots_free));
    metrics_->set(Metric::vehicle_slots, {"busy"}, static_cast<double>(census.slots_busy));
    return metrics_->text();
}

std::vector<core::ModelDemand> GatewayCore::take_demand(base::Instant now) {
    std::map<std::string, core::ModelDemand> demands;
    for (const auto& [request, exchange] : exchanges_) {
        core::ModelDemand& demand = demands[exchange.head.model];
        for (const Answer& answer : exchange.answers) {
            if (answer.attempt) {
                ++demand.running;
            } else if (answer.waiting()) {
                ++demand.waiting;
            }
        }
    }
    const double seconds = std::max((now - demand_told_at_).seconds(), 0.001);
    demand_told_at_ = now;
    for (auto& [model, state] : models_) {
        demands[model].tokens_per_second = static_cast<double>(state.tokens) / seconds;
        state.tokens = 0;
    }
    std::erase_if(models_, [this, &demands](const auto& entry) {
        const core::ModelDemand& demand = demands[entry.first];
        return !fleet_.knows_model(entry.first) && demand.running + demand.waiting == 0;
    });
    demands.erase("");
    std::vector<core::ModelDemand> all;
    for (auto& [model, demand] : demands) {
        if (all.size() >= core::models_max)
            break;
        demand.model = model;
        all.push_back(std::move(demand));
    }
    return all;
}

}  // namespace idlewatt::gateway
