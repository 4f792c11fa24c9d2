// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What clients and operators ask over HTTP.
#include <algorithm>
#include <array>

#include "base/fault_point.hpp"
#include "gateway/gateway_core.hpp"

namespace idlewatt::gateway {

namespace {

constexpr std::string_view vehicles_path = "/api/v1/vehicles";
constexpr std::string_view signals_suffix = "/signals";

http::Response json_response(int status, std::string body) {
    return {status, {{"content-type", "application/json"}}, std::move(body)};
}

std::string_view path_of(const http::Request& request) {
    return std::string_view(request.target).substr(0, request.target.find('?'));
}

std::string_view error_type(int status) {
    if (status == 401)
        return "authentication_error";
    if (status == 429)
        return "rate_limit_error";
    return status >= 500 ? "server_error" : "invalid_request_error";
}

// Compares in a time that depends only on the lengths.
bool same_secret(std::string_view a, std::string_view b) {
    if (a.size() != b.size())
        return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
    }
    return difference == 0;
}

struct Route {
    std::string_view method;
    std::string_view path;
};
constexpr std::array routes{Route{"GET", "/healthz"}, Route{"GET", "/v1/models"},
                            Route{"POST", "/v1/chat/completions"}, Route{"GET", vehicles_path},
                            Route{"GET", "/api/v1/figures"}};

}  // namespace

void GatewayCore::on(const Asked& event, Now now, Effects& effects) {
    const http::Request& request = event.request;
    const std::string_view path = path_of(request);
    if (path == "/healthz") {
        effects.emplace_back(Respond{request.id, json_response(200, "{\"status\":\"ok\"}")});
        return;
    }
    if (!authorised(request)) {
        refuse(request.id, 401, "invalid_api_key",
               "The API key is missing or wrong. Send it as 'Authorization: Bearer KEY'.", effects);
        return;
    }
    if (path.starts_with(vehicles_path) && path.ends_with(signals_suffix)) {
        order_signals(request, effects);
        return;
    }
    const auto known = std::ranges::find(routes, path, &Route::path);
    if (known == routes.end()) {
        refuse(request.id, 404, "not_found", "There is nothing at this path.", effects);
    } else if (known->method != request.method) {
        refuse(request.id, 405, "method_not_allowed",
               "This path takes " + std::string(known->method) + ".", effects);
    } else if (path == "/v1/chat/completions") {
        ask_chat(request, now, effects);
    } else if (path == "/v1/models") {
        auto body = wire::models_body(fleet_.models(), now.wall);
        effects.emplace_back(Respond{request.id, json_response(200, std::move(body))});
    } else if (path == vehicles_path) {
        auto body = wire::vehicles_body(fleet_.rows(now.instant));
        effects.emplace_back(Respond{request.id, json_response(200, std::move(body))});
    } else {
        auto body = wire::figures_body(figures());
        effects.emplace_back(Respond{request.id, json_response(200, std::move(body))});
    }
}

void GatewayCore::ask_chat(const http::Request& request, Now now, Effects& effects) {
    auto chat = wire::parse_chat_request(request.body);
    if (!chat) {
        ++figures_.requests_rejected;
        effects.emplace_back(
            Respond{request.id, json_response(400, wire::error_body(chat.error()))});
        return;
    }
    const std::vector<std::string> models = fleet_.models();
    if (chat->model.empty() && !models.empty())
        chat->model = models.front();
    if (!models.empty() && !fleet_.knows_model(chat->model)) {
        ++figures_.requests_rejected;
        refuse(request.id, 404, "model_not_found",
               "There is no model '" + chat->model + "'; GET /v1/models lists what there is.",
               effects);
        return;
    }
    const bool too_many = answers_.size() >= answers_max ||
                          request_bytes_held_ + chat->json.size() > request_bytes_held_max;
    const auto waiting =
        std::ranges::count_if(answers_, [](const auto& entry) { return !entry.second.attempt; });
    if (too_many || static_cast<std::size_t>(waiting) >= waiting_max) {
        ++figures_.requests_rejected;
        base::reached("gateway.queue_full");
        refuse(request.id, 429, "fleet_busy",
               "All cars are busy and the queue is full. Try again after the seconds in "
               "Retry-After.",
               effects);
        return;
    }
    ++figures_.requests_started;
    const core::WorkId work(core::make_time_ordered_id(now.wall, prng_));
    Answer& answer = answers_[work];
    answer.work = work;
    answer.request = request.id;
    answer.chat = std::move(*chat);
    answer.head = {work, answer.chat.model, now.wall, answer.chat.include_usage};
    answer.arrived_at = answer.waiting_since = answer.progress_at = answer.comment_at = now.instant;
    request_bytes_held_ += answer.chat.json.size();
    by_request_.emplace(request.id, work);
    place(answer, now, effects);
}

void GatewayCore::order_signals(const http::Request& request, Effects& effects) {
    std::string_view path = path_of(request);
    path.remove_prefix(vehicles_path.size());
    path.remove_suffix(signals_suffix.size());
    const core::VehicleId vehicle(std::string(path.empty() ? path : path.substr(1)));
    if (!fleet_.knows_vehicle(vehicle)) {
        refuse(request.id, 404, "vehicle_not_found",
               "No car of this name has announced itself; GET /api/v1/vehicles lists them.",
               effects);
    } else if (request.method != "POST") {
        refuse(request.id, 405, "method_not_allowed", "This path takes POST.", effects);
    } else {
        auto order = wire::parse_signal_order(request.body);
        if (order) {
            effects.emplace_back(OrderSignals{request.id, vehicle, std::move(*order)});
        } else {
            refuse(request.id, 400, "invalid_request", order.error().message, effects);
        }
    }
}

void GatewayCore::on(const OrderAnswered& event, Now, Effects& effects) {
    if (event.status != bus::ReplyStatus::answered) {
        refuse(event.request, 503, "vehicle_unreachable",
               "The car did not take the order: it is not connected.", effects);
    } else if (!event.answer.error.empty()) {
        refuse(event.request, 409, "order_refused", event.answer.error, effects);
    } else {
        effects.emplace_back(Respond{event.request, json_response(200, "{\"taken\":true}")});
    }
}

bool GatewayCore::authorised(const http::Request& request) const {
    if (config_.api_key.empty())
        return true;
    const auto header = request.headers.find("authorization");
    if (header == request.headers.end())
        return false;
    constexpr std::string_view scheme = "Bearer ";
    const std::string_view value = header->second;
    return value.starts_with(scheme) && same_secret(value.substr(scheme.size()), config_.api_key);
}

void GatewayCore::refuse(http::RequestId request, int status, std::string_view code,
                         std::string_view message, Effects& effects) {
    http::Response response =
        json_response(status, wire::error_body(error_type(status), code, message));
    if (status == 429)
        response.headers["retry-after"] = std::to_string(retry_after_full_s);
    if (status == 503)
        response.headers["retry-after"] = std::to_string(retry_after_empty_s);
    effects.emplace_back(Respond{request, std::move(response)});
}

}  // namespace idlewatt::gateway
