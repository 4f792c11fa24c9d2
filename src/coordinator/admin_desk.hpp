// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The coordinator's own HTTP address: cars enrol and fetch models, operators keep keys, models,
// enrolment tokens and cars. JSON as in wire/admin.hpp; errors as everywhere.
//
//   POST   /api/v1/enrol                                 with a one-time token in the body
//   GET    /api/v1/keys            POST   /api/v1/keys         DELETE /api/v1/keys/ID
//   GET    /api/v1/models          POST   /api/v1/models       DELETE /api/v1/models/NAME
//   GET    /api/v1/enrolments      POST   /api/v1/enrolments   DELETE /api/v1/enrolments/ID
//   GET    /api/v1/vehicles        GET    /api/v1/vehicles/ID
//   POST   /api/v1/vehicles/ID/pause | resume | drain | revoke
//   /blobs/sha256/HEX                                    blob_desk.hpp
//   /v1/files                                            file_desk.hpp
//   /v1/batches                                          batch_desk.hpp
//   GET    /healthz                                      without a key
//
// Everything but enrolling and /healthz wants the key of an operator; a car may fetch a blob with
// its user JWT, and what is below /v1 is for customers, too. Threads: the loop's.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "base/prng.hpp"
#include "coordinator/batch_desk.hpp"
#include "coordinator/blob_desk.hpp"
#include "coordinator/cars.hpp"
#include "coordinator/client_door.hpp"
#include "coordinator/credentials.hpp"
#include "coordinator/file_desk.hpp"
#include "coordinator/key_desk.hpp"
#include "coordinator/placement_desk.hpp"
#include "coordinator/revocation_desk.hpp"
#include "http/http.hpp"
#include "scheduler/rate_limit.hpp"
#include "store/store.hpp"
#include "wire/admin.hpp"

namespace idlewatt::coordinator {

// Tokens of 256 bits cannot be guessed; this keeps strangers from keeping the database busy.
inline constexpr std::uint32_t enrolments_per_minute = 600;
// Requests that are being worked on; more are sent away.
inline constexpr std::size_t admin_requests_max = 256;
// Orders of operators to cars that wait for the one before.
inline constexpr std::size_t vehicle_orders_max = 256;

struct AdminParts {
    base::Loop& loop;
    http::Server& server;
    store::Store& store;
    Cars& cars;
    Credentials& credentials;
    PlacementDesk& placement;
    KeyDesk& keys;
    RevocationDesk& revocations;
    BlobDesk* blobs = nullptr;  // without: models come from elsewhere
    // All of them, or none: then there are no files and no batches.
    ClientDoor* door = nullptr;
    FileDesk* files = nullptr;
    BatchDesk* batches = nullptr;
};

// Of an operator's key that is not in the store.
inline constexpr const char* unstored_key_id = "static";

struct AdminOptions {
    std::string cell;
    std::vector<std::string> nats_urls;
    // SHA-256 of an operator's key that is not in the store, in hexadecimal; empty: none.
    std::string operator_key_sha256;
    std::uint64_t seed = 0;
};

class AdminDesk {
public:
    AdminDesk(const AdminParts& parts, AdminOptions options);
    ~AdminDesk();

    AdminDesk(const AdminDesk&) = delete;
    AdminDesk& operator=(const AdminDesk&) = delete;

private:
    using Id = http::RequestId;
    // A request, its path below /api/v1/ cut at the slashes: {"vehicles", "car-1", "pause"}.
    struct Call {
        http::Request request;
        std::string collection;
        std::string item;
        std::string verb;
    };

    void on_request(http::Request request);
    // Who may ask, beside operators.
    enum class Asker { nobody_else, car, customer };
    // The key is empty if a car asks.
    using Then = std::function<void(http::Request, const core::KeyId& key)>;
    void authorised(http::Request request, Asker asker, Then then);
    void check_store(const std::string& hash, http::Request request, Asker asker, Then then);
    [[nodiscard]] static Asker asker_of(const http::Request& request);
    void take_handler();
    void on_gone(Id id);
    enum class Bearer { enrolled_car, unknown_car, somebody_else };
    [[nodiscard]] Bearer bearer_of(const std::string& token) const;
    void route(http::Request request, const core::KeyId& key);
    void route_blob(http::Request request, const std::string& sha256);
    void route_api(const Call& call);

    // admin_keys.cpp
    void list_keys(Id id, core::KeyId after, std::vector<core::ApiKey> so_far);
    void add_key(const Call& call);
    void revoke_key(Id id, const core::KeyId& key);
    void list_enrolments(Id id);
    void add_enrolment(const Call& call);
    void revoke_enrolment(Id id, const std::string& enrolment);

    // admin_models.cpp
    void list_models(Id id);
    void add_model(const Call& call);
    // By name, with the SHA-256: models whose file is being read or whose row is being written.
    using Registering = std::multimap<std::string, std::string>;
    void register_model(Id id, const core::Model& model, Registering::iterator registering);
    void remove_model(Id id, const std::string& escaped_name);

    // admin_vehicles.cpp
    void enrol(const http::Request& request);
    void enrolled(Id id, const store::Vehicle& vehicle);
    void list_vehicles(Id id);
    void refuse_unknown(Id id, const core::VehicleId& vehicle);
    void show_vehicle(Id id, const core::VehicleId& vehicle);
    void order(const Call& call);
    void run_orders();
    [[nodiscard]] wire::EnrolledVehicle row_of(const store::Vehicle& vehicle) const;

    void respond(Id id, int status, std::string body);
    void refuse(Id id, const wire::ApiError& error);
    void refuse(Id id, wire::ApiErrorCode code, std::string message);
    void refuse(Id id, const base::Error& error);  // of the store
    [[nodiscard]] std::string fresh_id();
    // The callback, unless the desk is gone by then.
    template <class F>
    auto guarded(F callback);

    struct Order {
        Id request;
        core::VehicleId vehicle;
        std::string verb;
    };

    AdminParts parts_;
    AdminOptions options_;
    base::Prng prng_;
    scheduler::RateLimiter enrol_limit_;
    std::deque<Order> orders_;
    bool ordering_ = false;
    Registering registering_;
    // Whose bearers the store is asked about, and whether they still wait for the answer.
    std::map<Id, bool> checking_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

template <class F>
auto AdminDesk::guarded(F callback) {
    return [alive = std::weak_ptr(alive_), callback = std::move(callback)](const auto& result) {
        if (!alive.expired())
            callback(result);
    };
}

}  // namespace idlewatt::coordinator
