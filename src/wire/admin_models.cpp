// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/admin_json.hpp"
#include "wire/cell.hpp"

namespace idlewatt::wire {

namespace {

AdminJson model_json(const core::Model& model) {
    AdminJson json{{"name", model.name},
                   {"sha256", model.sha256},
                   {"bytes", model.bytes},
                   {"architecture", model.architecture},
                   {"quantization", model.quantization},
                   {"parameters", model.parameters},
                   {"context_tokens", model.context_tokens},
                   {"replicas_min", model.replicas_min}};
    if (model.added_at.us != 0)
        json["added_at"] = base::to_rfc3339(model.added_at);
    return json;
}

core::Model read_order(Members& members) {
    core::Model model;
    model.name = members.model("name", true);
    model.sha256 = members.sha256("sha256");
    model.bytes = members.number("bytes", 1, json_number_max, 0);
    if (model.bytes == 0)
        members.refuse("bytes", "the size of the file");
    model.architecture = members.text("architecture", model_word_bytes_max);
    model.quantization = members.text("quantization", model_word_bytes_max);
    model.parameters = members.number("parameters", 0, json_number_max, 0);
    model.context_tokens = members.number32("context_tokens");
    model.replicas_min = members.number32("replicas_min", 1);
    return model;
}

core::Model read_model(Members& members) {
    core::Model model = read_order(members);
    model.added_at = members.time("added_at").value_or(base::WallTime{});
    return model;
}

RegisteredModel read_registered(Members& members) {
    RegisteredModel row;
    row.model = read_model(members);
    row.blob_present = members.flag("blob_present");
    row.vehicles_assigned = members.number32("vehicles_assigned");
    row.vehicles_ready = members.number32("vehicles_ready");
    return row;
}

}  // namespace

std::string registered_model_body(const core::Model& model) {
    return dump(model_json(model));
}

Parsed<core::Model> parse_model_order(std::string_view body) {
    return parse_admin_request(body, read_order);
}

base::Result<core::Model> parse_registered_model(std::string_view body) {
    return parse_admin_answer(body, read_model);
}

std::string registered_models_body(const std::vector<RegisteredModel>& models) {
    AdminJson rows = AdminJson::array();
    for (const RegisteredModel& row : models) {
        AdminJson json = model_json(row.model);
        json["blob_present"] = row.blob_present;
        json["vehicles_assigned"] = row.vehicles_assigned;
        json["vehicles_ready"] = row.vehicles_ready;
        rows.push_back(std::move(json));
    }
    AdminJson body;
    body["models"] = std::move(rows);
    return dump(body);
}

base::Result<std::vector<RegisteredModel>> parse_registered_models(std::string_view body) {
    return parse_admin_answer(body, [](Members& members) {
        std::vector<RegisteredModel> rows;
        members.each("models", core::models_max,
                     [&](Members& inner) { rows.push_back(read_registered(inner)); });
        return rows;
    });
}

std::string model_removed_body(std::string_view name) {
    return dump({{"name", name}, {"removed", true}});
}

}  // namespace idlewatt::wire
