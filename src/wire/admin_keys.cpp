// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/admin_json.hpp"

namespace idlewatt::wire {

namespace {

constexpr std::size_t secret_bytes_max = 256;

AdminJson limits_json(const core::KeyLimits& limits) {
    return {{"requests_per_minute", limits.requests_per_minute},
            {"tokens_per_minute", limits.tokens_per_minute},
            {"requests_at_once", limits.requests_at_once}};
}

AdminJson key_json(const core::ApiKey& key) {
    return {{"id", key.id.value},
            {"label", key.label},
            {"role", core::name(key.role)},
            {"limits", limits_json(key.limits)},
            {"data_class", core::name(key.data_class)},
            {"fleet", text_or_null(key.fleet)},
            {"created_at", base::to_rfc3339(key.created_at)},
            {"revoked_at", time_or_null(key.revoked_at)}};
}

core::KeyLimits read_limits(Members& members, bool strict) {
    core::KeyLimits limits;
    members.object("limits", false, [&](Members& inner) {
        limits.requests_per_minute = inner.number32("requests_per_minute");
        limits.tokens_per_minute = inner.number32("tokens_per_minute");
        limits.requests_at_once = inner.number32("requests_at_once");
        if (strict)
            inner.refuse_others();
    });
    return limits;
}

core::KeyRole read_role(Members& members) {
    const std::string text = members.text("role", 32);
    const auto role = core::key_role(text);
    if (!role && !text.empty())
        members.refuse("role", "customer, operator or analyst");
    return role.value_or(core::KeyRole::customer);
}

core::DataClass read_data_class(Members& members) {
    const std::string text = members.text("data_class", 32);
    const auto data_class = core::data_class(text);
    if (!data_class && !text.empty())
        members.refuse("data_class", "public, own_fleet or refuse");
    return data_class.value_or(core::DataClass::any_car);
}

core::ApiKey read_key(Members& members) {
    core::ApiKey key;
    key.id = core::KeyId(members.id("id", true));
    key.label = members.text("label", core::key_label_bytes_max);
    key.role = read_role(members);
    key.limits = read_limits(members, false);
    key.data_class = read_data_class(members);
    key.fleet = members.id("fleet");
    key.created_at = members.needed_time("created_at");
    key.revoked_at = members.time("revoked_at");
    return key;
}

}  // namespace

std::string key_order_body(const KeyOrder& order) {
    return dump({{"label", order.label},
                 {"role", core::name(order.role)},
                 {"limits", limits_json(order.limits)},
                 {"data_class", core::name(order.data_class)},
                 {"fleet", text_or_null(order.fleet)}});
}

Parsed<KeyOrder> parse_key_order(std::string_view body) {
    return parse_admin_request(body, [](Members& members) {
        KeyOrder order;
        order.label = members.text("label", core::key_label_bytes_max);
        order.role = read_role(members);
        order.limits = read_limits(members, true);
        order.data_class = read_data_class(members);
        order.fleet = members.id("fleet");
        // Otherwise such a key could be used nowhere, and nobody would see why.
        if (order.data_class == core::DataClass::own_fleet && order.fleet.empty())
            members.refuse("fleet", "the id of a fleet, because data_class is own_fleet");
        return order;
    });
}

std::string key_created_body(const KeyCreated& created) {
    return dump({{"key", key_json(created.key)}, {"secret", created.secret}});
}

base::Result<KeyCreated> parse_key_created(std::string_view body) {
    return parse_admin_answer(body, [](Members& members) {
        KeyCreated created;
        members.object("key", true, [&](Members& inner) { created.key = read_key(inner); });
        created.secret = members.text("secret", secret_bytes_max, true);
        return created;
    });
}

std::string key_body(const core::ApiKey& key) {
    return dump(key_json(key));
}

base::Result<core::ApiKey> parse_key_body(std::string_view body) {
    return parse_admin_answer(body, read_key);
}

std::string keys_body(const std::vector<core::ApiKey>& keys) {
    AdminJson rows = AdminJson::array();
    for (const core::ApiKey& key : keys)
        rows.push_back(key_json(key));
    AdminJson body;
    body["keys"] = std::move(rows);
    return dump(body);
}

base::Result<std::vector<core::ApiKey>> parse_keys_body(std::string_view body) {
    return parse_admin_answer(body, [](Members& members) {
        std::vector<core::ApiKey> keys;
        members.each("keys", core::keys_max,
                     [&](Members& inner) { keys.push_back(read_key(inner)); });
        return keys;
    });
}

}  // namespace idlewatt::wire
