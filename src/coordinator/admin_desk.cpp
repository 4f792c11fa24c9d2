// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Who asks, and for what.
#include "coordinator/admin_desk.hpp"

#include <utility>

#include "base/log.hpp"
#include "identity/secret.hpp"
#include "identity/user_claims.hpp"

namespace idlewatt::coordinator {

namespace {

using wire::ApiErrorCode;

constexpr std::string_view api_path = "/api/v1/";
constexpr const char* enrol_path = "/api/v1/enrol";
// Of an uploaded file's form, beside the file.
constexpr std::uint64_t form_bytes_max = 64 * 1024;

// The path itself, or one below it.
bool is_below(std::string_view path, std::string_view folder) {
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string_view path_of(const http::Request& request) {
    std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
    while (path.size() > 1 && path.ends_with('/'))
        path.remove_suffix(1);
    return path;
}

// Empty: none. The scheme's name may be in any case, as HTTP wants it.
std::string bearer_in(const http::Request& request) {
    constexpr std::string_view scheme = "bearer ";
    const auto header = request.headers.find("authorization");
    if (header == request.headers.end() || header->second.size() <= scheme.size())
        return {};
    for (std::size_t i = 0; i < scheme.size(); ++i) {
        const char c = header->second[i];
        if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != scheme[i])
            return {};
    }
    return header->second.substr(scheme.size());
}

}  // namespace

AdminDesk::AdminDesk(const AdminParts& parts, AdminOptions options)
    : parts_(parts), options_(std::move(options)), prng_(options_.seed) {
    take_handler();
    if (parts_.door != nullptr)
        parts_.door->on_answered([this](Id id) { parts_.files->forget(id); });
}

void AdminDesk::take_handler() {
    http::Handler handler;
    handler.on_request = [this](http::Request request) { on_request(std::move(request)); };
    handler.on_gone = [this](Id id) { on_gone(id); };
    handler.on_written = [this](Id id, std::uint64_t bytes) {
        if (parts_.batches != nullptr)
            parts_.batches->on_written(id, bytes);
    };
    if (parts_.blobs != nullptr) {
        const bool takes_files = parts_.files != nullptr;
        handler.body_bytes_allowed = [takes_files](const http::Request& head) -> std::uint64_t {
            if (takes_files && FileDesk::is_upload(head))
                return wire::file_bytes_max + form_bytes_max;
            return head.method == "PUT" && BlobDesk::blob_of(head.target) ? blobs::blob_bytes_max
                                                                          : 0;
        };
        handler.on_body = [this](Id id, std::string part) {
            if (parts_.files != nullptr && parts_.files->takes(id))
                return parts_.files->on_body(id, part);
            parts_.blobs->on_body(id, std::move(part));
        };
        handler.on_body_end = [this](Id id) {
            if (parts_.files != nullptr && parts_.files->takes(id))
                return parts_.files->on_body_end(id);
            parts_.blobs->on_body_end(id);
        };
    }
    parts_.server.set_handler(std::move(handler));
}

void AdminDesk::on_gone(Id id) {
    if (const auto checked = checking_.find(id); checked != checking_.end())
        checked->second = false;
    if (parts_.blobs != nullptr)
        parts_.blobs->on_gone(id);
    if (parts_.files != nullptr)
        parts_.files->on_gone(id);
    if (parts_.batches != nullptr)
        parts_.batches->on_gone(id);
}

AdminDesk::~AdminDesk() {
    parts_.server.set_handler({[](const http::Request&) {}, [](Id) {}, [](Id, std::uint64_t) {}});
}

void AdminDesk::on_request(http::Request request) {
    const std::string_view path = path_of(request);
    if (path == "/healthz")
        return respond(request.id, 200, "{\"status\":\"ok\"}");
    if (path == enrol_path)
        return enrol(request);
    if (request.body_follows && FileDesk::is_upload(request))
        parts_.files->expect(request.id);
    else if (request.body_follows)
        parts_.blobs->expect(request.id);
    const Asker asker = asker_of(request);
    authorised(std::move(request), asker, [this](http::Request allowed, const core::KeyId& key) {
        route(std::move(allowed), key);
    });
}

AdminDesk::Asker AdminDesk::asker_of(const http::Request& request) {
    const std::string_view path = path_of(request);
    if (is_below(path, files_path) || is_below(path, batches_path))
        return Asker::customer;
    const bool reads = request.method == "GET" || request.method == "HEAD";
    return reads && BlobDesk::blob_of(request.target) ? Asker::car : Asker::nobody_else;
}

// ── who ─────────────────────────────────────────────────────────────────────────────────────────

void AdminDesk::authorised(http::Request request, Asker asker, Then then) {
    const std::string token = bearer_in(request);
    if (token.empty()) {
        return refuse(request.id, ApiErrorCode::invalid_api_key,
                      "The API key is missing. Send it as 'Authorization: Bearer KEY'.");
    }
    const Bearer bearer_is = asker == Asker::car ? bearer_of(token) : Bearer::somebody_else;
    if (bearer_is == Bearer::enrolled_car)
        return then(std::move(request), {});
    if (bearer_is == Bearer::unknown_car) {
        parts_.cars.look_again();
        return refuse(request.id, ApiErrorCode::store_unavailable,
                      "This car is not in the list yet. Try again soon.");
    }
    const std::string hash = identity::sha256_hex(token);
    if (!options_.operator_key_sha256.empty() &&
        identity::equal_in_constant_time(hash, options_.operator_key_sha256))
        return then(std::move(request), core::KeyId(unstored_key_id));
    check_store(hash, std::move(request), asker, std::move(then));
}

AdminDesk::Bearer AdminDesk::bearer_of(const std::string& token) const {
    const auto claims = identity::verify_user_jwt(token, parts_.credentials.account_public_key(),
                                                  parts_.loop.wall_now());
    if (!claims || !claims->has_tag(identity::vehicle_tag))
        return Bearer::somebody_else;
    const store::Vehicle* const car = parts_.cars.find(core::VehicleId(claims->name));
    if (car == nullptr)
        return Bearer::unknown_car;
    const bool good = car->public_key == claims->public_key && !car->revoked_at;
    return good ? Bearer::enrolled_car : Bearer::somebody_else;
}

// By the hash: whoever learns from the time of the answer learns nothing of the key.
void AdminDesk::check_store(const std::string& hash, http::Request request, Asker asker,
                            Then then) {
    if (checking_.size() >= admin_requests_max) {
        return refuse(request.id, ApiErrorCode::slow_down,
                      "Too many requests are being checked; try again in a moment.");
    }
    const Id id = request.id;
    checking_[id] = true;
    parts_.store.find_key(
        hash,
        guarded([this, id, asker, shared = std::make_shared<http::Request>(std::move(request)),
                 then = std::move(then)](const base::Result<std::optional<core::ApiKey>>& found) {
            const auto checked = checking_.extract(id);
            if (!checked || !checked.mapped())
                return;  // gone: nobody would tell us a second time
            if (!found)
                return refuse(shared->id, found.error());
            const std::optional<core::ApiKey>& key = *found;
            if (!key || key->revoked_at) {
                return refuse(shared->id, ApiErrorCode::invalid_api_key,
                              key ? "This API key has been revoked. Make another."
                                  : "The API key is wrong. Send it as 'Authorization: Bearer "
                                    "KEY'.");
            }
            const bool may = key->role == core::KeyRole::fleet_operator ||
                             (asker == Asker::customer && key->role == core::KeyRole::customer);
            if (!may) {
                return refuse(shared->id, ApiErrorCode::insufficient_permissions,
                              "A key of the role '" + std::string(core::name(key->role)) +
                                  "' may not do this. Use " +
                                  (asker == Asker::customer ? "a customer's or an operator's key."
                                                            : "an operator's key."));
            }
            then(std::move(*shared), key->id);
        }));
}

// ── what ────────────────────────────────────────────────────────────────────────────────────────

void AdminDesk::route(http::Request request, const core::KeyId& key) {
    if (asker_of(request) == Asker::customer) {
        if (parts_.files == nullptr) {
            return refuse(request.id, ApiErrorCode::unknown_path,
                          "This coordinator keeps no files and runs no batches.");
        }
        return is_below(path_of(request), files_path) ? parts_.files->serve(request, key)
                                                      : parts_.batches->serve(request, key);
    }
    if (const auto sha256 = BlobDesk::blob_of(request.target))
        return route_blob(std::move(request), *sha256);
    std::string_view path = path_of(request);
    if (!path.starts_with(api_path)) {
        return refuse(request.id, ApiErrorCode::unknown_path,
                      "There is nothing here. The coordinator serves /api/v1/, /blobs/sha256/, "
                      "/v1/files and /v1/batches; the rest of /v1/ is the gateway's.");
    }
    path.remove_prefix(api_path.size());
    Call call;
    const std::size_t first = path.find('/');
    call.collection = path.substr(0, first);
    if (first != std::string_view::npos) {
        path.remove_prefix(first + 1);
        // A model's name may hold slashes.
        const std::size_t second =
            call.collection == "models" ? std::string_view::npos : path.find('/');
        call.item = path.substr(0, second);
        if (second != std::string_view::npos)
            call.verb = path.substr(second + 1);
    }
    call.request = std::move(request);
    route_api(call);
}

void AdminDesk::route_blob(http::Request request, const std::string& sha256) {
    if (parts_.blobs == nullptr) {
        return refuse(request.id, ApiErrorCode::unknown_path,
                      "This coordinator keeps no files; models come from elsewhere.");
    }
    if (request.method == "GET" || request.method == "HEAD")
        return parts_.blobs->serve(request, sha256);
    if (request.method == "PUT")
        return parts_.blobs->take(request, sha256);
    if (request.method == "DELETE")
        return parts_.blobs->erase(request, sha256);
    refuse(request.id, ApiErrorCode::method_not_allowed, "Use GET, HEAD, PUT or DELETE here.");
}

void AdminDesk::route_api(const Call& call) {
    const std::string& method = call.request.method;
    const Id id = call.request.id;
    const bool is_list = call.item.empty();
    const bool is_item = !is_list && call.verb.empty();
    const bool lists = is_list && (method == "GET" || method == "HEAD");
    const bool adds = is_list && method == "POST";
    const bool removes = is_item && method == "DELETE";
    if (call.collection == "keys" && (lists || adds || removes)) {
        if (lists)
            return list_keys(id, {}, {});
        return adds ? add_key(call) : revoke_key(id, core::KeyId(call.item));
    }
    if (call.collection == "models" && (lists || adds || removes)) {
        if (lists)
            return list_models(id);
        return adds ? add_model(call) : remove_model(id, call.item);
    }
    if (call.collection == "enrolments" && (lists || adds || removes)) {
        if (lists)
            return list_enrolments(id);
        return adds ? add_enrolment(call) : revoke_enrolment(id, call.item);
    }
    if (call.collection == "vehicles") {
        if (lists)
            return list_vehicles(id);
        if (is_item && (method == "GET" || method == "HEAD"))
            return show_vehicle(id, core::VehicleId(call.item));
        if (!call.verb.empty() && method == "POST")
            return order(call);
    }
    const bool known = call.collection == "keys" || call.collection == "models" ||
                       call.collection == "enrolments" || call.collection == "vehicles";
    refuse(id, known ? ApiErrorCode::method_not_allowed : ApiErrorCode::unknown_path,
           known ? "This cannot be done here: " + method + " " + call.request.target + "."
                 : "There is nothing at " + call.request.target + ".");
}

// ── answers ─────────────────────────────────────────────────────────────────────────────────────

void AdminDesk::respond(Id id, int status, std::string body) {
    if (parts_.blobs != nullptr)
        parts_.blobs->forget(id);
    if (parts_.files != nullptr)
        parts_.files->forget(id);
    parts_.server.respond(
        id, {status,
             {{"content-type", "application/json"}, {"x-request-id", "req_" + fresh_id()}},
             std::move(body)});
}

void AdminDesk::refuse(Id id, const wire::ApiError& error) {
    respond(id, error.http_status(), wire::error_body(error));
}

void AdminDesk::refuse(Id id, ApiErrorCode code, std::string message) {
    refuse(id, wire::api_error(code, std::move(message)));
}

void AdminDesk::refuse(Id id, const base::Error& error) {
    switch (error.kind) {
        case base::ErrorKind::not_found:
            return refuse(id, ApiErrorCode::not_found, error.message);
        case base::ErrorKind::bad_input:
            return refuse(id, ApiErrorCode::conflict, error.message);
        case base::ErrorKind::denied:
            return refuse(id, ApiErrorCode::invalid_enrolment_token, error.message);
        case base::ErrorKind::limit_exceeded:
            return refuse(id, ApiErrorCode::insufficient_quota, error.message);
        case base::ErrorKind::unavailable:
        case base::ErrorKind::io:
            break;
    }
    // The text names the database; it is for the log.
    base::log_warning("coordinator", error.message);
    refuse(id, ApiErrorCode::store_unavailable,
           "The coordinator's database does not answer. Try again soon; serving goes on.");
}

std::string AdminDesk::fresh_id() {
    return core::make_time_ordered_id(parts_.loop.wall_now(), prng_);
}

}  // namespace idlewatt::coordinator
