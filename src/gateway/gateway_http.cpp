// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What clients and operators ask over HTTP: who they are, which route, and every response's
// headers.
#include <algorithm>
#include <array>

#include "gateway/forwarded_paths.hpp"
#include "gateway/gateway_core.hpp"

namespace idlewatt::gateway {

namespace {

using wire::ApiErrorCode;

constexpr std::string_view vehicles_path = "/api/v1/vehicles";
constexpr std::string_view signals_suffix = "/signals";
constexpr std::string_view events_path = "/api/v1/events";
constexpr std::string_view notice_path = "/api/v1/notice";
constexpr std::string_view models_path = "/v1/models";
constexpr std::string_view metrics_path = "/metrics";
constexpr std::string_view chat_path = "/v1/chat/completions";

http::Response json_response(int status, std::string body) {
    return {status, {{"content-type", "application/json"}}, std::move(body)};
}

std::string_view path_of(const http::Request& request) {
    std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
    while (path.size() > 1 && path.ends_with('/'))
        path.remove_suffix(1);
    return path;
}

// A HEAD is answered like a GET.
std::string_view method_of(const http::Request& request) {
    return request.method == "HEAD" ? std::string_view("GET") : request.method;
}

bool is_below(std::string_view path, std::string_view parent) {
    return path.size() > parent.size() + 1 && path.starts_with(parent) &&
           path[parent.size()] == '/';
}

bool may(core::KeyRole role, std::string_view method, std::string_view path) {
    if (role == core::KeyRole::fleet_operator)
        return true;
    const bool reads = method == "GET";
    if (path == models_path || is_below(path, models_path))
        return reads || role == core::KeyRole::customer;
    if (path.starts_with("/v1"))
        return role == core::KeyRole::customer;
    // Where there is nothing, everybody may learn that: a base URL without /v1, say.
    if (!path.starts_with("/api/") && path != metrics_path)
        return true;
    return role == core::KeyRole::analyst && reads;
}

struct Route {
    std::string_view method;
    std::string_view path;
};
constexpr std::array routes{Route{"GET", "/healthz"},        Route{"GET", models_path},
                            Route{"POST", chat_path},        Route{"POST", "/v1/completions"},
                            Route{"POST", "/v1/embeddings"}, Route{"GET", vehicles_path},
                            Route{"GET", "/api/v1/figures"}, Route{"GET", metrics_path},
                            Route{"GET", events_path},       Route{"POST", notice_path}};

std::optional<wire::ApiError> error_of_key(KeyRing::Verdict verdict) {
    switch (verdict) {
        case KeyRing::Verdict::known:
            return std::nullopt;
        case KeyRing::Verdict::missing:
            return wire::api_error(ApiErrorCode::invalid_api_key,
                                   "The API key is missing. Send it as 'Authorization: Bearer "
                                   "KEY'.");
        case KeyRing::Verdict::revoked:
            return wire::api_error(ApiErrorCode::invalid_api_key,
                                   "This API key has been revoked. Ask the fleet's operator for "
                                   "another.");
        case KeyRing::Verdict::no_book: {
            auto error = wire::api_error(ApiErrorCode::store_unavailable,
                                         "The gateway does not know yet which keys there are: the "
                                         "coordinator has not answered.");
            error.status = 503;
            return error;
        }
        case KeyRing::Verdict::unknown:
            break;
    }
    return wire::api_error(ApiErrorCode::invalid_api_key,
                           "The API key is wrong. Send it as 'Authorization: Bearer KEY'.");
}

}  // namespace

void GatewayCore::on(const Asked& event, Now now, Effects& effects) {
    const http::Request& request = event.request;
    Caller& caller = callers_[request.id];
    caller.request_id = "req_" + core::make_time_ordered_id(now.wall, prng_);
    caller.client_request_id = repeatable_client_id(request);
    caller.origin = allowed_origin(request, config_.cors_origins);
    caller.arrived_at = now.instant;
    if (stopping_) {
        refuse(request.id, wire::api_error(ApiErrorCode::no_capacity, std::string(stopping_words)),
               now, effects, retry_after_full_s);
    } else if (request.method == "OPTIONS") {
        respond(request.id, preflight(caller), now, effects);
    } else if (path_of(request) == "/healthz") {
        respond(request.id, json_response(200, "{\"status\":\"ok\"}"), now, effects);
    } else if (const PageFile* file = find_page_file(config_.page, path_of(request));
               file != nullptr && method_of(request) == "GET") {
        respond(request.id, page_response(*file, request), now, effects);
    } else if (authorised(request, now, effects)) {
        route(request, now, effects);
    }
}

bool GatewayCore::authorised(const http::Request& request, Now now, Effects& effects) {
    const auto header = request.headers.find("authorization");
    auto found = keys_.find(header == request.headers.end() ? "" : header->second, now.wall);
    if (const auto error = error_of_key(found.verdict)) {
        refuse(request.id, *error, now, effects);
        return false;
    }
    if (!may(found.key.role, method_of(request), path_of(request))) {
        refuse(request.id,
               wire::api_error(ApiErrorCode::insufficient_permissions,
                               "A key of the role '" + std::string(core::name(found.key.role)) +
                                   "' may not do this. Use a key of another role."),
               now, effects);
        return false;
    }
    callers_.at(request.id).key = std::move(found.key);
    return true;
}

void GatewayCore::route(const http::Request& request, Now now, Effects& effects) {
    const std::string_view path = path_of(request);
    if (is_forwarded(path)) {
        forward(request, effects);
        return;
    }
    if (is_below(path, vehicles_path) && path.ends_with(signals_suffix)) {
        order_signals(request, now, effects);
        return;
    }
    if (is_below(path, vehicles_path)) {
        serve_vehicle(request, path.substr(vehicles_path.size() + 1), now, effects);
        return;
    }
    if (is_below(path, models_path)) {
        serve_model(request, path.substr(models_path.size() + 1), now, effects);
        return;
    }
    const bool stored =
        is_below(path, chat_path) || (path == chat_path && request.method != "POST");
    const auto known = std::ranges::find(routes, path, &Route::path);
    if (stored) {
        refuse(request.id,
               wire::api_error(ApiErrorCode::unknown_path,
                               "Chat completions are not stored here; send POST " +
                                   std::string(chat_path) + " for a new one."),
               now, effects);
    } else if (known == routes.end()) {
        refuse(request.id,
               wire::api_error(ApiErrorCode::unknown_path,
                               "There is nothing at this path. OpenAI's API is below /v1."),
               now, effects);
    } else if (known->method != method_of(request)) {
        refuse(request.id,
               wire::api_error(ApiErrorCode::method_not_allowed,
                               "This path takes " + std::string(known->method) + "."),
               now, effects);
    } else if (path == chat_path) {
        ask(request, core::Task::chat, now, effects);
    } else if (path == "/v1/completions") {
        ask(request, core::Task::completion, now, effects);
    } else if (path == "/v1/embeddings") {
        ask(request, core::Task::embedding, now, effects);
    } else if (path == models_path) {
        respond(request.id, json_response(200, wire::models_body(model_rows())), now, effects);
    } else if (path == vehicles_path) {
        auto body = wire::vehicles_body(fleet_.rows(now.instant));
        respond(request.id, json_response(200, std::move(body)), now, effects);
    } else if (path == events_path) {
        follow(request, now, effects);
    } else if (path == notice_path) {
        put_notice(request, now, effects);
    } else if (path == metrics_path) {
        respond(request.id,
                {200,
                 {{"content-type", std::string(metrics::content_type)}},
                 metrics_text(now.instant, now.wall)},
                now, effects);
    } else {
        respond(request.id, json_response(200, wire::figures_body(figures())), now, effects);
    }
}

// Files and batches are hard state: the coordinator's.
void GatewayCore::forward(const http::Request& request, Effects& effects) {
    const auto caller = callers_.find(request.id);
    http::Response ours;
    add_headers(caller->second, caller->second.arrived_at, ours);
    ours.headers.erase("openai-processing-ms");  // not known yet
    callers_.erase(caller);
    effects.emplace_back(Forward{request, std::move(ours.headers)});
}

std::vector<wire::ModelRow> GatewayCore::model_rows() const {
    std::vector<wire::ModelRow> rows;
    for (const FleetView::ModelSummary& summary : fleet_.summaries()) {
        wire::ModelRow row;
        row.id = summary.model;
        row.created = started_at_;
        row.context_tokens = summary.context_tokens;
        row.embeddings = summary.embeddings;
        row.image_input = summary.image_input;
        row.vehicles_ready = summary.vehicles_ready;
        row.tokens_per_second = summary.tokens_per_second;
        rows.push_back(std::move(row));
    }
    return rows;
}

void GatewayCore::serve_model(const http::Request& request, std::string_view escaped, Now now,
                              Effects& effects) {
    const auto model = wire::model_of_path(escaped);
    const auto rows = model_rows();
    const auto row = model ? std::ranges::find(rows, *model, &wire::ModelRow::id) : rows.end();
    if (row == rows.end()) {
        refuse(request.id,
               wire::api_error(ApiErrorCode::model_not_found,
                               "There is no model '" + model.value_or(std::string(escaped)) +
                                   "'; GET /v1/models lists what there is."),
               now, effects);
    } else if (method_of(request) == "GET") {
        respond(request.id, json_response(200, wire::model_body(*row)), now, effects);
    } else if (request.method == "DELETE") {
        refuse(request.id,
               wire::api_error(ApiErrorCode::insufficient_permissions,
                               "A gateway removes no models. The fleet's operator does it at the "
                               "coordinator: idlewatt model rm " +
                                   *model),
               now, effects);
    } else {
        refuse(request.id,
               wire::api_error(ApiErrorCode::method_not_allowed, "This path takes GET."), now,
               effects);
    }
}

void GatewayCore::order_signals(const http::Request& request, Now now, Effects& effects) {
    std::string_view path = path_of(request);
    path.remove_prefix(vehicles_path.size());
    path.remove_suffix(signals_suffix.size());
    const core::VehicleId vehicle(std::string(path.empty() ? path : path.substr(1)));
    if (!fleet_.knows_vehicle(vehicle)) {
        refuse(request.id,
               wire::api_error(ApiErrorCode::vehicle_not_found,
                               "No car of this name has announced itself; GET /api/v1/vehicles "
                               "lists them."),
               now, effects);
    } else if (request.method != "POST") {
        refuse(request.id,
               wire::api_error(ApiErrorCode::method_not_allowed, "This path takes POST."), now,
               effects);
    } else {
        auto order = wire::parse_signal_order(request.body);
        if (order) {
            effects.emplace_back(OrderSignals{request.id, vehicle, std::move(*order)});
        } else {
            refuse(request.id, wire::api_error(ApiErrorCode::invalid_value, order.error().message),
                   now, effects);
        }
    }
}

void GatewayCore::on(const OrderAnswered& event, Now now, Effects& effects) {
    if (event.status != bus::ReplyStatus::answered) {
        refuse(event.request,
               wire::api_error(ApiErrorCode::vehicle_unreachable,
                               "The car did not take the order: it is not connected."),
               now, effects);
    } else if (!event.answer.error.empty()) {
        refuse(event.request, wire::api_error(ApiErrorCode::order_refused, event.answer.error), now,
               effects);
    } else {
        respond(event.request, json_response(200, "{\"taken\":true}"), now, effects);
    }
}

void GatewayCore::respond(http::RequestId request, http::Response response, Now now,
                          Effects& effects) {
    const auto caller = callers_.find(request);
    if (caller != callers_.end()) {
        add_headers(caller->second, now.instant, response);
        callers_.erase(caller);
    }
    effects.emplace_back(Respond{request, std::move(response)});
}

void GatewayCore::refuse(http::RequestId request, const wire::ApiError& error, Now now,
                         Effects& effects, std::optional<std::uint32_t> retry_after_s) {
    http::Response response = json_response(error.http_status(), {});
    wire::ApiError said = error;
    const wire::Retry retry = wire::info(error.code).retry;
    if (retry == wire::Retry::never || retry_after_s == 0U) {
        response.headers["x-should-retry"] = "false";
    } else if (response.status == 429 || response.status == 503) {
        const std::uint32_t fallback =
            response.status == 429 ? retry_after_full_s : retry_after_empty_s;
        const std::uint64_t after_s = retry_after_s.value_or(fallback);
        response.headers["retry-after"] = std::to_string(after_s);
        response.headers["retry-after-ms"] = std::to_string(1000 * after_s);
        said.message += " Try again in " + std::to_string(after_s) + " s.";
    }
    response.body = wire::error_body(said);
    respond(request, std::move(response), now, effects);
}

}  // namespace idlewatt::gateway
