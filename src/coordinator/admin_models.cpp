// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The registry of models. Their bytes come and go through blob_desk.
#include <algorithm>
#include <utility>

#include "coordinator/admin_desk.hpp"
#include "wire/models.hpp"

namespace idlewatt::coordinator {

using wire::ApiErrorCode;

void AdminDesk::list_models(Id id) {
    const Placer& placer = parts_.placement.placer();
    if (!placer.loaded()) {
        return refuse(id, ApiErrorCode::store_unavailable,
                      "The models are not read from the database yet. Try again soon.");
    }
    const auto holders = placer.holders(parts_.loop.now());
    std::vector<wire::RegisteredModel> rows;
    for (const auto& [name, model] : placer.models()) {
        wire::RegisteredModel row{model};
        row.blob_present = parts_.blobs == nullptr || parts_.blobs->has(model.sha256);
        if (const auto found = holders.find(name); found != holders.end()) {
            row.vehicles_assigned = found->second.assigned;
            row.vehicles_ready = found->second.ready;
        }
        rows.push_back(std::move(row));
    }
    respond(id, 200, wire::registered_models_body(rows));
}

void AdminDesk::add_model(const Call& call) {
    const Id id = call.request.id;
    auto order = wire::parse_model_order(call.request.body);
    if (!order)
        return refuse(id, order.error());
    const Placer& placer = parts_.placement.placer();
    if (!placer.loaded()) {
        return refuse(id, ApiErrorCode::store_unavailable,
                      "The models are not read from the database yet. Try again soon.");
    }
    core::Model model = std::move(*order);
    model.added_at = parts_.loop.wall_now();
    const auto before = placer.models().find(model.name);
    const bool known = before != placer.models().end();
    const auto [first, last] = registering_.equal_range(model.name);
    if ((known && before->second.sha256 != model.sha256) ||
        std::any_of(first, last, [&](const auto& one) { return one.second != model.sha256; })) {
        return refuse(id, ApiErrorCode::conflict,
                      "A model of this name with other bytes is registered. Remove it first, or "
                      "take another name.");
    }
    if (known) {
        model.added_at = before->second.added_at;
    } else if (placer.models().size() + registering_.size() >= core::models_max) {
        return refuse(id, ApiErrorCode::conflict,
                      "There are " + std::to_string(core::models_max) +
                          " models already, which is the most that a cell has.");
    }
    const auto registering = registering_.emplace(model.name, model.sha256);
    // Bytes that come later are found out by the first car.
    if (parts_.blobs == nullptr || !parts_.blobs->has(model.sha256))
        return register_model(id, model, registering);
    parts_.blobs->check_model(
        model.sha256, guarded([this, id, model, registering](const base::Result<void>& checked) {
            if (checked)
                return register_model(id, model, registering);
            registering_.erase(registering);
            if (checked.error().kind != base::ErrorKind::bad_input)
                return refuse(id, checked.error());
            refuse(id, ApiErrorCode::invalid_value,
                   "No engine can load this file: " + checked.error().message);
        }));
}

void AdminDesk::register_model(Id id, const core::Model& model, Registering::iterator registering) {
    const Placer& placer = parts_.placement.placer();
    const auto before = placer.models().find(model.name);
    const int status = before == placer.models().end() ? 201 : 200;
    parts_.placement.add_model(
        model, guarded([this, id, model, status, registering](const base::Result<void>& added) {
            registering_.erase(registering);
            if (!added)
                return refuse(id, added.error());
            if (parts_.blobs != nullptr)
                parts_.blobs->keep(model.name, model.sha256);
            respond(id, status, wire::registered_model_body(model));
        }));
}

void AdminDesk::remove_model(Id id, const std::string& escaped_name) {
    const auto name = wire::model_of_path(escaped_name);
    if (!name)
        return refuse(id, ApiErrorCode::model_not_found, "No model has this name.");
    parts_.placement.remove_model(
        *name, guarded([this, id, name = *name](const base::Result<void>& removed) {
            if (!removed && removed.error().kind == base::ErrorKind::not_found) {
                return refuse(id, ApiErrorCode::model_not_found,
                              "No model is registered as '" + name + "'.");
            }
            if (!removed)
                return refuse(id, removed.error());
            if (parts_.blobs != nullptr)
                parts_.blobs->let_go(name);
            respond(id, 200, wire::model_removed_body(name));
        }));
}

}  // namespace idlewatt::coordinator
