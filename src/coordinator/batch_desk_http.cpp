// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What clients ask of batches.
#include <algorithm>
#include <utility>

#include "coordinator/batch_desk.hpp"

namespace idlewatt::coordinator {

namespace {

using store::BatchStatus;
using wire::ApiErrorCode;

constexpr std::size_t batch_list_max = 100;
constexpr std::size_t batch_list_default = 20;

std::optional<base::WallTime> ended_as(const store::Batch& batch, BatchStatus status) {
    return batch.status == status ? batch.ended_at : std::nullopt;
}

wire::BatchObject object_of_batch(const store::Batch& batch) {
    wire::BatchObject object;
    object.id = batch.id;
    object.endpoint = batch.endpoint;
    object.model = batch.model;
    object.input_file_id = batch.input_file;
    object.status = store::name(batch.status);
    object.output_file_id = batch.output_file;
    object.error_file_id = batch.error_file;
    object.metadata_json = batch.metadata_json;
    object.errors_json = batch.errors_json;
    object.created_at = batch.created_at;
    object.expires_at = batch.expires_at;
    object.in_progress_at = batch.in_progress_at;
    object.finalizing_at = batch.finalizing_at;
    object.cancelling_at = batch.cancelling_at;
    object.completed_at = ended_as(batch, BatchStatus::completed);
    object.failed_at = ended_as(batch, BatchStatus::failed);
    object.expired_at = ended_as(batch, BatchStatus::expired);
    object.cancelled_at = ended_as(batch, BatchStatus::cancelled);
    object.total = batch.total;
    object.completed = batch.tally.completed;
    object.failed = batch.tally.failed;
    object.input_tokens = batch.tally.input_tokens;
    object.cached_tokens = batch.tally.cached_tokens;
    object.output_tokens = batch.tally.output_tokens;
    object.reasoning_tokens = batch.tally.reasoning_tokens;
    return object;
}

}  // namespace

void BatchDesk::serve(const http::Request& request, const core::KeyId& key) {
    const Id id = request.id;
    if (!loaded_) {
        return door_.refuse(id, ApiErrorCode::store_unavailable,
                            "The batches are not read from the database yet. Try again soon.");
    }
    std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
    while (path.ends_with('/'))
        path.remove_suffix(1);
    path.remove_prefix(batches_path.size());
    const bool reads = request.method == "GET" || request.method == "HEAD";
    if (path.empty()) {
        if (request.method == "POST")
            return create(request, key);
        if (reads)
            return list(request, key);
        return door_.refuse(id, ApiErrorCode::method_not_allowed, "Use GET or POST here.");
    }
    path.remove_prefix(1);
    const std::size_t slash = path.find('/');
    const std::string batch(path.substr(0, slash));
    const std::string_view verb =
        slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (verb.empty() && reads)
        return find(id, batch, key, [this, id](const store::Batch& found) { show(id, found); });
    if (verb == "cancel" && request.method == "POST")
        return find(id, batch, key, [this, id](const store::Batch& found) { cancel(id, found); });
    if (verb == "x-partial" && reads) {
        return find(id, batch, key, [this, id](const store::Batch& found) {
            if (core_.find(found.id) != nullptr && !endings_.contains(found.id))
                return partial_.begin(id, found.id);
            door_.refuse(id, ApiErrorCode::conflict, std::string(batch_has_ended), "id");
        });
    }
    const bool known = verb.empty() || verb == "cancel" || verb == "x-partial";
    door_.refuse(id, known ? ApiErrorCode::method_not_allowed : ApiErrorCode::unknown_path,
                 known ? "This cannot be done here." : "There is nothing here.");
}

void BatchDesk::show(Id request, const store::Batch& batch) {
    door_.respond(request, 200, wire::batch_body(object_of_batch(batch)));
}

void BatchDesk::find(Id request, const std::string& batch, const core::KeyId& key,
                     std::function<void(const store::Batch&)> then) {
    const auto none = [this, request] {
        door_.refuse(request, ApiErrorCode::not_found, "You have no batch of this id.");
    };
    if (const store::Batch* const open = core_.find(batch); open != nullptr)
        return open->key == key ? then(*open) : none();
    store_.find_batch(batch, guarded([this, request, key, none, then = std::move(then)](
                                         const base::Result<std::optional<store::Batch>>& found) {
                          if (!found)
                              return door_.refuse_later(request, found.error());
                          if (!*found || (*found)->key != key)
                              return none();
                          then(**found);
                      }));
}

void BatchDesk::list(const http::Request& request, const core::KeyId& key) {
    const auto query = wire::parse_list_query(request.target, batch_list_max, batch_list_default);
    if (!query)
        return door_.refuse(request.id, query.error());
    store_.batch_page(key, query->after, query->limit,
                      guarded([this, id = request.id](const base::Result<store::BatchPage>& page) {
                          if (!page)
                              return door_.refuse_later(id, page.error());
                          std::vector<wire::BatchObject> objects;
                          for (const store::Batch& row : page->batches) {
                              const store::Batch* const open = core_.find(row.id);
                              objects.push_back(object_of_batch(open != nullptr ? *open : row));
                          }
                          door_.respond(id, 200, wire::batch_list_body(objects, page->more));
                      }));
}

void BatchDesk::create(const http::Request& request, const core::KeyId& key) {
    const Id id = request.id;
    auto order = wire::parse_batch_order(request.body);
    if (!order)
        return door_.refuse(id, order.error());
    if (files_.book().find(order->input_file_id, key) == nullptr) {
        return door_.refuse(id, ApiErrorCode::not_found, "You have no file of this id.",
                            "input_file_id");
    }
    if (core_.open_count() + creating_.size() >= batches_open_max) {
        return door_.refuse(id, ApiErrorCode::rate_limit_exceeded,
                            "Too many batches run already. Wait for the end of one.");
    }
    const auto mine =
        core_.open_count(key) + static_cast<std::size_t>(std::ranges::count_if(
                                    creating_, [&](const auto& one) { return one.second == key; }));
    if (mine >= batches_open_per_key_max) {
        return door_.refuse(id, ApiErrorCode::rate_limit_exceeded,
                            "You have " + std::to_string(mine) +
                                " batches that run, which is the most that a key may have. Wait "
                                "for the end of one, or cancel one.");
    }
    store::Batch batch;
    batch.id = door_.fresh_id("batch_");
    batch.key = key;
    batch.endpoint = order->endpoint;
    batch.input_file = order->input_file_id;
    batch.metadata_json = order->metadata_json;
    batch.output_expires_after = order->output_expires_after;
    batch.created_at = loop_.wall_now();
    batch.expires_at = batch.created_at + wire::completion_window;
    if (order->deadline)
        batch.expires_at = std::min(batch.expires_at, *order->deadline);
    const auto creating = creating_.emplace(batch.input_file, key);
    store_.put_batch(batch, guarded([this, id, batch, creating](const base::Result<void>& put) {
                         creating_.erase(creating);
                         if (!put)
                             return door_.refuse_later(id, put.error());
                         feed(BatchAdded{batch});
                         show(id, batch);
                     }));
}

void BatchDesk::cancel(Id request, const store::Batch& batch) {
    if (core_.find(batch.id) == nullptr) {
        return door_.refuse(
            request, ApiErrorCode::conflict,
            "This batch has ended: it is " + std::string(store::name(batch.status)) + ".", "id");
    }
    const std::string id = batch.id;  // the row changes under it
    feed(BatchCancelAsked{id});
    const store::Batch now = *core_.find(id);
    save(id, [this, request, now](const base::Result<void>& saved) {
        if (!saved)
            return door_.refuse_later(request, saved.error());
        show(request, now);
    });
}

}  // namespace idlewatt::coordinator
