// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/live.hpp"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

namespace idlewatt::wire {

namespace {

using LiveJson = nlohmann::ordered_json;

constexpr std::size_t shared_max = 35;

template <class T>
LiveJson or_null(const std::optional<T>& value) {
    return value ? LiveJson(*value) : LiveJson();
}

double tenths(double value) {
    return std::isfinite(value) ? std::round(value * 10) / 10 : 0.0;
}

LiveJson head_json(const LiveHead& head) {
    return {{"sequence", head.sequence},
            {"at", base::to_rfc3339(head.at)},
            {"heard_age_ms", or_null(head.heard_age_ms)}};
}

void put_totals(LiveJson& json, const LiveTotals& totals) {
    const GatewayFigures& figures = totals.figures;
    json["requests"] = {{"started", figures.requests_started},
                        {"completed", figures.requests_completed},
                        {"failed", figures.requests_failed},
                        {"failed_no_capacity", figures.requests_failed_no_capacity},
                        {"cancelled", figures.requests_cancelled},
                        {"rejected", figures.requests_rejected},
                        {"waiting", figures.requests_waiting},
                        {"running", figures.requests_running}};
    json["tokens"] = {{"delivered", figures.tokens_delivered}};
    json["migrations"] = figures.migrations;
    json["vehicles"] = {{"known", totals.vehicles_known},
                        {"ready", totals.vehicles_ready},
                        {"unreachable", totals.vehicles_unreachable}};
    json["tokens_per_second"] = tenths(totals.tokens_per_second);
    json["migration_gap_ms"] =
        totals.migration_gap_ms ? LiveJson(tenths(*totals.migration_gap_ms)) : LiveJson();
}

void put_car(LiveJson& list, const LiveCar& car) {
    list.push_back(car.reason ? LiveJson(static_cast<int>(*car.reason)) : LiveJson());
    list.push_back(or_null(car.charge_percent));
}

void put_work(LiveJson& list, std::uint32_t number, const LiveCar& car) {
    list.push_back(number);
    list.push_back(car.tokens_per_second);
    list.push_back(car.active_requests);
}

LiveJson notice_json(const std::optional<LiveNotice>& notice) {
    if (!notice)
        return {};
    return {{"text", notice->text}, {"at", base::to_rfc3339(notice->at)}};
}

LiveJson answer_json(const LiveAnswer& answer) {
    LiveJson json{{"id", answer.id}};
    if (answer.model)
        json["model"] = *answer.model;
    if (answer.placed)
        json["vehicle"] = or_null(answer.vehicle);
    if (answer.why)
        json["why"] = core::name(*answer.why);
    if (answer.tokens)
        json["tokens"] = *answer.tokens;
    if (answer.text)
        json["text"] = *answer.text;
    if (answer.text_added)
        json["text_added"] = *answer.text_added;
    return json;
}

LiveJson answers_json(const std::vector<LiveAnswer>& answers) {
    LiveJson list = LiveJson::array();
    for (const LiveAnswer& answer : answers)
        list.push_back(answer_json(answer));
    return list;
}

std::string live_text(const LiveJson& json) {
    return json.dump(-1, ' ', false, LiveJson::error_handler_t::replace);
}

}  // namespace

std::string front_coded(std::span<const std::string> ids, std::string_view before) {
    std::string coded;
    for (const std::string& id : ids) {
        const std::size_t most = std::min({shared_max, before.size(), id.size()});
        std::size_t shared = 0;
        while (shared < most && id[shared] == before[shared])
            ++shared;
        if (!coded.empty())
            coded += ' ';
        coded += static_cast<char>(shared < 10 ? '0' + shared : 'a' + shared - 10);
        coded.append(id, shared);
        before = id;
    }
    return coded;
}

std::string live_snapshot_body(const LiveSnapshot& snapshot) {
    LiveJson json = head_json(snapshot.head);
    json["gateway"] = snapshot.gateway;
    put_totals(json["totals"], snapshot.totals);
    LiveJson& reasons = json["reasons"] = LiveJson::array();
    for (const core::ReasonInfo& info : core::reason_table()) {
        constexpr std::string_view kinds[] = {"recall", "drain", "service"};
        reasons.push_back({{"name", info.name},
                           {"kind", kinds[static_cast<std::size_t>(info.kind)]},
                           {"sentence", info.sentence},
                           {"cleared_by", info.cleared_by}});
    }
    json["vehicle_columns"] = {"reason", "state_of_charge_percent"};
    json["vehicle_ids"] = front_coded(snapshot.vehicle_ids, "");
    LiveJson vehicles = LiveJson::array();
    LiveJson work = LiveJson::array();
    std::uint32_t number = 0;
    for (const LiveCar& car : snapshot.vehicles) {
        put_car(vehicles, car);
        if (!car.works_like({}))
            put_work(work, number, car);
        ++number;
    }
    json["vehicles"] = std::move(vehicles);
    json["work_columns"] = {"tokens_per_second", "active_requests"};
    json["work"] = std::move(work);
    json["vehicles_left_out"] = snapshot.vehicles_left_out;
    json["answers"] = answers_json(snapshot.answers);
    json["answers_left_out"] = snapshot.answers_left_out;
    json["notice"] = notice_json(snapshot.notice);
    return live_text(json);
}

std::string live_change_body(const LiveChange& change) {
    LiveJson json = head_json(change.head);
    if (change.totals)
        put_totals(json["totals"], *change.totals);
    if (!change.vehicle_ids.empty())
        json["vehicle_ids"] = front_coded(change.vehicle_ids, change.vehicle_id_before);
    for (const auto& [number, car] : change.vehicles) {
        json["vehicles"].push_back(number);
        put_car(json["vehicles"], car);
    }
    for (const auto& [number, car] : change.work)
        put_work(json["work"], number, car);
    if (!change.answers.empty())
        json["answers"] = answers_json(change.answers);
    for (const LiveEnd& end : change.answers_ended)
        json["answers_ended"].push_back({{"id", end.id}, {"how", end.how}});
    if (change.notice_changed)
        json["notice"] = notice_json(change.notice);
    return live_text(json);
}

}  // namespace idlewatt::wire
