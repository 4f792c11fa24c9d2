// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/fleet.hpp"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

namespace idlewatt::wire {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t order_bytes_max = 4096;

constexpr std::int64_t age_ms_max = 1'000'000'000'000;

// A number so large has no fraction, and must not become infinite, which JSON cannot say.
double rounded(double value, double steps_per_unit) {
    if (!(std::abs(value) < 1e15))
        return std::isfinite(value) ? value : 0.0;
    return std::round(value * steps_per_unit) / steps_per_unit;
}

Json to_json(const VehicleRow& row) {
    const core::Announcement& said = row.announcement;
    Json json;
    json["id"] = said.vehicle.value;
    json["reason"] = core::name(row.reason);
    json["active_requests"] = row.active_requests;
    json["slots_free"] = said.slots_free;
    json["slots_total"] = said.slots_total;
    json["allowed_watts"] = said.allowed_w;
    json["state_of_charge_percent"] =
        said.state_of_charge_percent ? Json(rounded(*said.state_of_charge_percent, 10)) : Json();
    json["models"] = said.models;
    json["tokens_per_second"] = rounded(said.tokens_per_second, 10);
    json["age_ms"] = row.age.whole_milliseconds();
    return json;
}

VehicleRow vehicle_row_from(const Json& json) {
    VehicleRow row;
    core::Announcement& said = row.announcement;
    said.vehicle = core::VehicleId(json.at("id").get<std::string>());
    row.reason =
        core::find_reason(json.at("reason").get<std::string>()).value_or(core::Reason::unreachable);
    row.active_requests = json.at("active_requests");
    said.reason = row.reason;
    said.slots_free = json.at("slots_free");
    said.slots_total = json.at("slots_total");
    said.allowed_w = json.at("allowed_watts");
    if (!json.at("state_of_charge_percent").is_null()) {
        said.state_of_charge_percent = json.at("state_of_charge_percent").get<double>();
    }
    said.models = json.at("models").get<std::vector<std::string>>();
    said.tokens_per_second = json.at("tokens_per_second");
    row.age = base::milliseconds(
        std::clamp<std::int64_t>(json.at("age_ms").get<std::int64_t>(), 0, age_ms_max));
    return row;
}

tl::unexpected<base::Error> bad(const std::string& what) {
    return base::fail(base::ErrorKind::bad_input, what);
}

}  // namespace

std::string vehicles_body(const std::vector<VehicleRow>& rows) {
    Json json = Json::array();
    for (const VehicleRow& row : rows)
        json.push_back(to_json(row));
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

base::Result<std::vector<VehicleRow>> parse_vehicles_body(std::string_view body) try {
    std::vector<VehicleRow> rows;
    for (const Json& json : Json::parse(body))
        rows.push_back(vehicle_row_from(json));
    return rows;
} catch (const Json::exception& error) {
    return bad(std::string("the list of vehicles is not what was expected: ") + error.what());
}

std::string figures_body(const GatewayFigures& figures) {
    Json json;
    json["requests"] = {{"started", figures.requests_started},
                        {"completed", figures.requests_completed},
                        {"failed", figures.requests_failed},
                        {"failed_no_capacity", figures.requests_failed_no_capacity},
                        {"cancelled", figures.requests_cancelled},
                        {"rejected", figures.requests_rejected},
                        {"waiting", figures.requests_waiting},
                        {"running", figures.requests_running}};
    json["tokens"] = {{"delivered", figures.tokens_delivered}};
    json["attempts"] = figures.attempts;
    json["migrations"] = figures.migrations;
    json["messages_resent"] = figures.messages_resent;
    Json gaps = Json::array();
    for (const double gap : figures.migration_gaps_ms)
        gaps.push_back(rounded(gap, 10));
    json["migration_gaps_ms"] = std::move(gaps);
    return json.dump();
}

base::Result<GatewayFigures> parse_figures_body(std::string_view body) try {
    const Json json = Json::parse(body);
    GatewayFigures figures;
    const Json& requests = json.at("requests");
    figures.requests_started = requests.at("started");
    figures.requests_completed = requests.at("completed");
    figures.requests_failed = requests.at("failed");
    figures.requests_failed_no_capacity = requests.at("failed_no_capacity");
    figures.requests_cancelled = requests.at("cancelled");
    figures.requests_rejected = requests.at("rejected");
    figures.requests_waiting = requests.at("waiting");
    figures.requests_running = requests.at("running");
    figures.tokens_delivered = json.at("tokens").at("delivered");
    figures.attempts = json.at("attempts");
    figures.migrations = json.at("migrations");
    figures.messages_resent = json.at("messages_resent");
    figures.migration_gaps_ms = json.at("migration_gaps_ms").get<std::vector<double>>();
    return figures;
} catch (const Json::exception& error) {
    return bad(std::string("the gateway's figures are not what was expected: ") + error.what());
}

base::Result<SignalOverride> parse_signal_order(std::string_view body) try {
    if (body.size() > order_bytes_max)
        return bad("a signal order is at most 4096 bytes long");
    const Json json = Json::parse(body);
    if (!json.is_object() || json.empty()) {
        return bad("expected an object of signals, as in {\"occupied\": true}");
    }
    SignalOverride order;
    for (const auto& [name, value] : json.items()) {
        const auto signal = core::find_signal(name);
        if (!signal) {
            std::string known;
            for (const core::SignalInfo& info : core::signal_table()) {
                known += (known.empty() ? "" : ", ") + std::string(info.name);
            }
            return bad("there is no signal '" + name + "'; there are " + known);
        }
        if (value.is_boolean()) {
            order.values.emplace_back(*signal, value.get<bool>() ? 1.0 : 0.0);
        } else if (value.is_number()) {
            order.values.emplace_back(*signal, value.get<double>());
        } else if (value == "missing") {
            order.values.emplace_back(*signal, std::nullopt);
        } else {
            return bad("signal '" + name + "' takes true, false, a number or \"missing\"; found " +
                       value.dump(-1, ' ', false, Json::error_handler_t::replace));
        }
    }
    return order;
} catch (const Json::exception& error) {
    return bad(std::string("the signal order is not JSON: ") + error.what());
}

std::string signal_order_body(const SignalOverride& order) {
    Json json = Json::object();
    for (const auto& [signal, value] : order.values) {
        const core::SignalInfo& info = core::info(signal);
        if (!value) {
            json[std::string(info.name)] = "missing";
        } else if (info.unit == core::SignalUnit::boolean && (*value == 0.0 || *value == 1.0)) {
            json[std::string(info.name)] = *value == 1.0;
        } else {
            json[std::string(info.name)] = *value;
        }
    }
    return json.dump();
}

}  // namespace idlewatt::wire
