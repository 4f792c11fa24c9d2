// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <algorithm>

#include "wire/admin_json.hpp"
#include "wire/cell.hpp"

namespace idlewatt::wire {

namespace {

constexpr std::size_t token_bytes_max = 256;
constexpr std::size_t url_bytes_max = 512;
constexpr std::size_t enrolments_max = 100'000;

AdminJson enrolment_json(const EnrolmentRow& row) {
    return {{"id", row.id},
            {"label", row.label},
            {"fleet", text_or_null(row.fleet)},
            {"created_at", base::to_rfc3339(row.created_at)},
            {"expires_at", base::to_rfc3339(row.expires_at)},
            {"used_at", time_or_null(row.used_at)},
            {"vehicle", text_or_null(row.vehicle)},
            {"revoked_at", time_or_null(row.revoked_at)}};
}

EnrolmentRow read_enrolment(Members& members) {
    EnrolmentRow row;
    row.id = members.id("id", true);
    row.label = members.text("label", core::key_label_bytes_max);
    row.fleet = members.id("fleet");
    row.created_at = members.needed_time("created_at");
    row.expires_at = members.needed_time("expires_at");
    row.used_at = members.time("used_at");
    row.vehicle = members.id("vehicle");
    row.revoked_at = members.time("revoked_at");
    return row;
}

// The text form of a user's or an account's public key on NATS: 56 characters of base32.
std::string read_public_key(Members& members, const char* name, char letter) {
    std::string text = members.text(name, 56, true);
    const auto is_base32 = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7'); };
    if (text.size() != 56 || text.front() != letter || !std::ranges::all_of(text, is_base32)) {
        members.refuse(name, std::string("an NKey: ") + letter + " and 55 more of [A-Z2-7]");
        text.clear();
    }
    return text;
}

}  // namespace

std::string enrolment_order_body(const EnrolmentOrder& order) {
    return dump({{"label", order.label},
                 {"fleet", text_or_null(order.fleet)},
                 {"life_s", order.life.ns / 1'000'000'000}});
}

Parsed<EnrolmentOrder> parse_enrolment_order(std::string_view body) {
    return parse_admin_request(body, [](Members& members) {
        EnrolmentOrder order;
        order.label = members.text("label", core::key_label_bytes_max);
        order.fleet = members.id("fleet");
        constexpr auto life_max_s =
            static_cast<std::uint64_t>(enrolment_token_life_max.ns / 1'000'000'000);
        order.life =
            base::seconds(static_cast<std::int64_t>(members.number("life_s", 1, life_max_s, 3600)));
        return order;
    });
}

std::string enrolment_created_body(const EnrolmentCreated& created) {
    return dump({{"enrolment", enrolment_json(created.enrolment)}, {"token", created.token}});
}

base::Result<EnrolmentCreated> parse_enrolment_created(std::string_view body) {
    return parse_admin_answer(body, [](Members& members) {
        EnrolmentCreated created;
        members.object("enrolment", true,
                       [&](Members& inner) { created.enrolment = read_enrolment(inner); });
        created.token = members.text("token", token_bytes_max, true);
        return created;
    });
}

std::string enrolment_body(const EnrolmentRow& row) {
    return dump(enrolment_json(row));
}

base::Result<EnrolmentRow> parse_enrolment_body(std::string_view body) {
    return parse_admin_answer(body, read_enrolment);
}

std::string enrolments_body(const std::vector<EnrolmentRow>& rows) {
    AdminJson list = AdminJson::array();
    for (const EnrolmentRow& row : rows)
        list.push_back(enrolment_json(row));
    AdminJson body;
    body["enrolments"] = std::move(list);
    return dump(body);
}

base::Result<std::vector<EnrolmentRow>> parse_enrolments_body(std::string_view body) {
    return parse_admin_answer(body, [](Members& members) {
        std::vector<EnrolmentRow> rows;
        members.each("enrolments", enrolments_max,
                     [&](Members& inner) { rows.push_back(read_enrolment(inner)); });
        return rows;
    });
}

std::string enrol_request_body(const EnrolRequest& request) {
    return dump({{"token", request.token},
                 {"public_key", request.public_key},
                 {"name", text_or_null(request.name)}});
}

Parsed<EnrolRequest> parse_enrol_request(std::string_view body) {
    return parse_admin_request(body, [](Members& members) {
        EnrolRequest request;
        request.token = members.text("token", token_bytes_max, true);
        request.public_key = read_public_key(members, "public_key", 'U');
        request.name = members.text("name", core::key_label_bytes_max);
        return request;
    });
}

std::string enrol_answer_body(const EnrolAnswer& answer) {
    return dump({{"vehicle", answer.vehicle.value},
                 {"cell", answer.cell},
                 {"nats_urls", answer.nats_urls},
                 {"user_jwt", answer.user_jwt},
                 {"membership", text_or_null(answer.membership)},
                 {"account_public_key", answer.account_public_key},
                 {"expires_at", base::to_rfc3339(answer.expires_at)}});
}

base::Result<EnrolAnswer> parse_enrol_answer(std::string_view body) {
    return parse_admin_answer(body, [](Members& members) {
        EnrolAnswer answer;
        answer.vehicle = core::VehicleId(members.id("vehicle", true));
        answer.cell = members.id("cell", true);
        answer.nats_urls = members.texts("nats_urls", nats_urls_max, url_bytes_max);
        answer.user_jwt = members.text("user_jwt", user_jwt_bytes_max, true);
        answer.membership = members.text("membership", core::membership_bytes_max);
        answer.account_public_key = read_public_key(members, "account_public_key", 'A');
        answer.expires_at = members.needed_time("expires_at");
        return answer;
    });
}

}  // namespace idlewatt::wire
