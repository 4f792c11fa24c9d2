// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/simulation.hpp"

namespace idlewatt::simulator {

namespace {

// Longer than a question may wait (30 s), a migration (20 s) and the slowest repetition of
// receipts (30 s) together.
// Longer than a car may be held back after drains (policy::drain_starts_span).
constexpr base::Duration quiet_time_max = base::minutes(12);
constexpr base::Duration quiet_look_period = base::milliseconds(500);

}  // namespace

Simulation::Simulation(const Scenario& scenario, std::uint64_t seed)
    : world_(scenario, seed), office_(world_), gateways_down_(scenario.gateways, 0) {
    world_.hub.set_weather(scenario.weather);
    for (std::uint32_t i = 0; i < scenario.vehicles; ++i) {
        cars_.push_back(std::make_unique<Car>(world_, i));
    }
    for (std::uint32_t i = 0; i < scenario.gateways; ++i)
        gateways_.push_back(std::make_unique<GatewayProcess>(world_, i));
    for (std::uint32_t i = 0; i < scenario.clients.count; ++i) {
        clients_.push_back(std::make_unique<Client>(world_, i, *gateways_[i % scenario.gateways]));
    }
    base::Prng prng(world_.seed_of(1));
    for (const PlannedFault& fault : plan_faults(scenario, prng))
        schedule(fault);
}

void Simulation::schedule(const PlannedFault& fault) {
    world_.loop.after(fault.at, [this, fault] { begin(fault); });
    world_.loop.after(fault.at + fault.lasts, [this, fault] { end(fault); });
}

void Simulation::begin(const PlannedFault& fault) {
    world_.trace.line(
        "fault", std::string(name(fault.kind)) + " of " + std::to_string(fault.target) + " begins");
    if (strikes_a_car(fault.kind)) {
        cars_[fault.target]->begin(fault.kind);
    } else if (fault.kind == FaultKind::server_down && server_down_++ == 0) {
        world_.hub.set_server_up(false);
    } else if (fault.kind == FaultKind::coordinator_down && coordinator_down_++ == 0) {
        office_.close();
    } else if (fault.kind == FaultKind::gateway_killed && gateways_down_[fault.target]++ == 0) {
        gateways_[fault.target]->kill();
    }
}

void Simulation::end(const PlannedFault& fault) {
    world_.trace.line(
        "fault", std::string(name(fault.kind)) + " of " + std::to_string(fault.target) + " ends");
    if (strikes_a_car(fault.kind)) {
        cars_[fault.target]->end(fault.kind);
    } else if (fault.kind == FaultKind::server_down && --server_down_ == 0) {
        world_.hub.set_server_up(true);
    } else if (fault.kind == FaultKind::coordinator_down && --coordinator_down_ == 0) {
        office_.open();
    } else if (fault.kind == FaultKind::gateway_killed && --gateways_down_[fault.target] == 0) {
        gateways_[fault.target]->start();
    }
}

void Simulation::advance_to(base::Instant end) {
    world_.loop.run_until(end);
}

// No more faults begin; messages still travel, but none is lost.
void Simulation::calm_down() {
    world_.trace.line("weather", "clears");
    bus::Weather calm = world_.scenario.weather;
    calm.loss = calm.duplication = 0.0;
    calm.reorder = false;
    world_.hub.set_weather(calm);
}

bool Simulation::quiet() const {
    for (const auto& client : clients_) {
        if (!client->idle())
            return false;
    }
    for (const auto& car : cars_) {
        if (!car->quiet())
            return false;
    }
    for (const auto& gateway : gateways_) {
        if (!gateway->quiet(world_.loop.now()))
            return false;
    }
    return true;
}

Report Simulation::run() {
    const Scenario& scenario = world_.scenario;
    office_.open();
    for (const auto& car : cars_) {
        office_.enrol(car->vehicle(), car->public_key());
        car->start();
    }
    for (const auto& gateway : gateways_)
        gateway->start();
    for (const auto& client : clients_)
        client->start();
    advance_to(base::Instant{} + scenario.duration);
    calm_down();
    const base::Instant limit = world_.loop.now() + quiet_time_max;
    while (world_.loop.now() < limit) {
        advance_to(world_.loop.now() + quiet_look_period);
        if (quiet())
            break;
    }
    check();
    Report report;
    report.scenario = scenario.name;
    report.seed = world_.seed;
    for (const auto& client : clients_) {
        for (const AskedQuestion& question : client->asked()) {
            ++report.outcomes[std::string(name(question.end)) +
                              (question.error_code.empty() ? "" : " ") + question.error_code];
            report.tokens += question.tokens_received;
        }
    }
    report.violations = world_.trace.violations();
    report.tasks = world_.loop.tasks_run();
    report.simulated_s = (world_.loop.now() - base::Instant{}).seconds();
    report.trace = world_.trace.take_text();
    return report;
}

void Simulation::check() {
    for (const auto& client : clients_)
        client->check_ended();
    for (const auto& gateway : gateways_) {
        if (world_.checks(Check::figures))
            gateway->check_figures();
        if (world_.checks(Check::quiet))
            gateway->check_quiet();
    }
    for (const auto& car : cars_) {
        if (world_.checks(Check::quiet))
            car->check_quiet();
    }
    if (world_.checks(Check::receipts))
        world_.books.check(office_.database(), world_.trace);
    for (const auto& client : clients_) {
        for (const AskedQuestion& question : client->asked())
            check_books(question);
    }
}

// Tokens that cars hold acknowledged must be with the client. An answer that is not streamed is
// with the gateway until its last token: there, no token may be acknowledged twice.
void Simulation::check_books(const AskedQuestion& question) {
    const std::uint32_t acknowledged =
        question.work.empty() ? 0 : world_.books.acknowledged_of(question.work);
    const std::uint32_t limit =
        question.streamed ? question.tokens_received : question.tokens_right;
    if (world_.checks(Check::receipts) && acknowledged > limit) {
        world_.trace.violation(question.name, std::to_string(acknowledged) +
                                                  " tokens are acknowledged, the client has " +
                                                  std::to_string(limit));
    }
    const std::uint32_t delivered =
        question.work.empty() ? 0 : world_.books.delivered_of(question.work);
    if (world_.checks(Check::receipts) && delivered > limit) {
        world_.trace.violation(question.name, std::to_string(delivered) +
                                                  " tokens are recorded as delivered, the client "
                                                  "has " +
                                                  std::to_string(limit));
    }
    if (!world_.checks(Check::every_answer) || question.end == AnswerEnd::hung_up)
        return;
    if (question.end != AnswerEnd::whole) {
        world_.trace.violation(question.name, "is not whole in calm weather");
    } else if (acknowledged != question.tokens_right) {
        world_.trace.violation(question.name, "only " + std::to_string(acknowledged) + " of " +
                                                  std::to_string(question.tokens_right) +
                                                  " tokens were acknowledged in calm weather");
    } else if (!question.work.empty() && delivered != question.tokens_right) {
        world_.trace.violation(question.name, "only " + std::to_string(delivered) + " of " +
                                                  std::to_string(question.tokens_right) +
                                                  " tokens are recorded in calm weather");
    }
}

}  // namespace idlewatt::simulator
