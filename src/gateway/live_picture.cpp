// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The gateway as readers of /api/v1/events see it: who may follow, what a picture holds, when the
// next one is taken.
#include <algorithm>
#include <cmath>
#include <utility>

#include "gateway/gateway_core.hpp"

namespace idlewatt::gateway {

namespace {

constexpr std::uint32_t rate_max = 1'000'000'000;
constexpr base::Duration left_out_period = base::seconds(2);

std::uint32_t live_whole(double value) {
    return value > 0.0 && value < rate_max ? static_cast<std::uint32_t>(std::lround(value)) : 0;
}

wire::LiveCar live_car(const Car& car, base::Instant now) {
    wire::LiveCar row;
    if (!car.reachable && now - car.heard_at > remembered_for)
        return row;
    row.reason = car.reachable ? car.said.reason : core::Reason::unreachable;
    if (car.said.state_of_charge_percent)
        row.charge_percent = live_whole(*car.said.state_of_charge_percent);
    row.tokens_per_second = car.reachable ? live_whole(car.said.tokens_per_second) : 0;
    row.active_requests = car.active;
    return row;
}

void count_live(wire::LiveTotals& totals, const Car& car, const wire::LiveCar& row) {
    totals.vehicles_known += row.reason ? 1 : 0;
    totals.vehicles_ready += row.reason == core::Reason::ok ? 1 : 0;
    totals.vehicles_unreachable += row.reason == core::Reason::unreachable ? 1 : 0;
    totals.tokens_per_second += car.reachable ? car.said.tokens_per_second : 0.0;
}

std::string_view answer_prefix(core::Task task) {
    switch (task) {
        case core::Task::chat:
            return "chatcmpl-";
        case core::Task::completion:
            return "cmpl-";
        case core::Task::embedding:
            break;
    }
    return "embedding-";
}

LivePicture::Answer live_answer(const Exchange& exchange, const Answer& answer) {
    LivePicture::Answer row;
    row.key = {static_cast<std::uint64_t>(exchange.request), answer.index()};
    row.owner = exchange.key;
    row.id = std::string(answer_prefix(exchange.head.task)) + exchange.head.work.value;
    if (exchange.answers.size() > 1)
        row.id += '/' + std::to_string(answer.index());
    row.model = exchange.head.model;
    if (answer.attempt)
        row.car = static_cast<std::uint32_t>(answer.attempt->car);
    else if (answer.finished && answer.spoken_by)
        row.car = static_cast<std::uint32_t>(*answer.spoken_by);
    row.tokens = answer.resume.tokens;
    row.tail = &answer.tail;
    return row;
}

}  // namespace

void GatewayCore::follow(const http::Request& request, Now now, Effects& effects) {
    if (live_.full()) {
        refuse(request.id,
               wire::api_error(wire::ApiErrorCode::server_is_overloaded,
                               "Too many readers follow this gateway already."),
               now, effects);
        return;
    }
    http::Response response{
        200, {{"content-type", "text/event-stream"}, {"cache-control", "no-store"}}, {}};
    const auto caller = callers_.find(request.id);
    const core::KeyId key = caller->second.key.id;
    add_headers(caller->second, now.instant, response);
    callers_.erase(caller);
    live_.join(request.id, key, std::move(response), config_.gateway.value,
               std::to_string(started_at_.us), live_picture(now), effects);
}

void GatewayCore::put_notice(const http::Request& request, Now now, Effects& effects) {
    // What anybody can reach from a page of theirs must not write here.
    if (config_.api_key.empty() && !config_.uses_key_book) {
        refuse(request.id,
               wire::api_error(wire::ApiErrorCode::insufficient_permissions,
                               "This gateway asks nobody for a key and takes no notices."),
               now, effects);
    } else if (auto order = wire::parse_notice_order(request.body)) {
        notices_.put(std::move(*order), now.instant, now.wall);
        respond(request.id, {200, {{"content-type", "application/json"}}, "{\"taken\":true}"}, now,
                effects);
    } else {
        refuse(request.id,
               wire::api_error(wire::ApiErrorCode::invalid_value, order.error().message), now,
               effects);
    }
}

void GatewayCore::tend_live(Now now, Effects& effects) {
    if (!live_.due(now.instant))
        return;
    const auto holds = [&](const core::KeyId& key) {
        return keys_.find(key, now.wall).verdict == KeyRing::Verdict::known;
    };
    live_.dismiss_unless(holds, effects);
    live_.tell(live_picture(now), effects);
}

void GatewayCore::tell_end(const Exchange& exchange, int status) {
    for (const Answer& answer : exchange.answers)
        live_.ended(live_answer(exchange, answer), status);
}

void GatewayCore::serve_vehicle(const http::Request& request, std::string_view vehicle, Now now,
                                Effects& effects) {
    const core::VehicleId id{std::string(vehicle)};
    const auto row = fleet_.row(id, now.instant);
    if (!row) {
        refuse(request.id,
               wire::api_error(wire::ApiErrorCode::vehicle_not_found,
                               "No car of this name has announced itself; GET /api/v1/vehicles "
                               "lists them."),
               now, effects);
    } else if (request.method != "GET" && request.method != "HEAD") {
        refuse(request.id,
               wire::api_error(wire::ApiErrorCode::method_not_allowed, "This path takes GET."), now,
               effects);
    } else {
        std::string body = wire::vehicles_body({*row});
        respond(request.id,
                {200,
                 {{"content-type", "application/json"}},
                 body.substr(1, body.size() - 2)},  // the only element of the list
                now, effects);
    }
}

LivePicture GatewayCore::live_picture(Now now) {
    count_cars_left_out(now);
    LivePicture picture;
    picture.now = now.instant;
    picture.wall = now.wall;
    picture.totals = left_out_.totals;
    picture.cars_left_out = left_out_.cars;
    picture.notice = notices_.shown(now.instant);
    wire::LiveTotals& totals = picture.totals;
    const std::size_t shown = std::min(fleet_.size(), live_cars_max);
    picture.names.reserve(shown);
    picture.cars.reserve(shown);
    for (std::size_t number = 0; number < shown; ++number) {
        const Car& car = fleet_.car(static_cast<CarNumber>(number));
        if (!picture.heard_at || car.heard_at > *picture.heard_at)
            picture.heard_at = car.heard_at;
        picture.names.emplace_back(car.said.vehicle.value);
        picture.cars.push_back(live_car(car, now.instant));
        count_live(totals, car, picture.cars.back());
    }
    totals.tokens_per_second = std::round(totals.tokens_per_second * 10) / 10;
    totals.figures = figures_;
    if (!gaps_ms_.empty())
        totals.migration_gap_ms = gaps_ms_.back();
    // The last ones are shown first, and lines of batches are behind all clients.
    const auto batches = exchanges_.lower_bound(batch_requests_begin);
    for (auto at = batches; at != exchanges_.end(); ++at)
        add_to(picture, at->second);
    for (auto at = exchanges_.begin(); at != batches; ++at)
        add_to(picture, at->second);
    return picture;
}

void GatewayCore::count_cars_left_out(Now now) {
    if (fleet_.size() <= live_cars_max ||
        (left_out_.counted_at && now.instant - *left_out_.counted_at < left_out_period))
        return;
    left_out_ = {{}, 0, now.instant};
    for (std::size_t number = live_cars_max; number < fleet_.size(); ++number) {
        const Car& car = fleet_.car(static_cast<CarNumber>(number));
        const wire::LiveCar row = live_car(car, now.instant);
        count_live(left_out_.totals, car, row);
        left_out_.cars += row.reason ? 1 : 0;
    }
}

void GatewayCore::add_to(LivePicture& picture, const Exchange& exchange) {
    bool running = false;
    for (const Answer& answer : exchange.answers) {
        running = running || answer.attempt.has_value();
        if (exchange.done)
            continue;
        picture.answers.push_back(live_answer(exchange, answer));
    }
    wire::GatewayFigures& figures = picture.totals.figures;
    ++(running ? figures.requests_running : figures.requests_waiting);
}

}  // namespace idlewatt::gateway
