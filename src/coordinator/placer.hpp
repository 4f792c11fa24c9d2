// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Which model each car of the cell is to hold: what is known of cars, models and demand, and the
// next changes. Deciding itself is scheduler::place(). Pure.
//
// Versions of an assignment grow with each change, and a change counts only once it is in the
// store: place() proposes, apply() makes it so.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "core/core.hpp"
#include "scheduler/placement.hpp"
#include "store/rows.hpp"

namespace idlewatt::coordinator {

// A car that has not asked for its assignment for this long is away. It asks every 30 s.
inline constexpr base::Duration car_away_after = base::seconds(100);
// Cars are heard one after the other: for so long after a start or a reconnect, or until all were
// heard, those that hold a model are taken to be there, and keep it.
inline constexpr base::Duration listening_before_moves = base::seconds(60);
// A car that has not loaded its model by then does not hold up others.
inline constexpr base::Duration loading_max = base::minutes(30);
// What a gateway said of its demand is forgotten then. It says it every few seconds.
inline constexpr base::Duration demand_lifetime = base::seconds(30);
inline constexpr std::size_t gateways_max = 1024;

class Placer {
public:
    using Changes = std::vector<store::VehicleAssignment>;

    void load(const std::vector<core::Model>& models, const Changes& assignments,
              base::Instant now);
    [[nodiscard]] bool loaded() const { return loaded_; }
    // Nobody could be heard until now.
    void listen_from(base::Instant now) { listening_since_ = now; }

    // What follows for cars that hold the model; to be stored, then applied.
    [[nodiscard]] Changes put_model(const core::Model& model);
    [[nodiscard]] Changes erase_model(const std::string& name);
    [[nodiscard]] const std::map<std::string, core::Model>& models() const { return models_; }

    // It is registered, or a car says that it serves it.
    [[nodiscard]] bool knows_model(const std::string& name, base::Instant now) const;

    // Of enrolled cars and known gateways only: each is remembered.
    void asked(const core::VehicleId& vehicle, const core::Capacity& capacity, base::Instant now);
    void announced(const core::Announcement& announcement, base::Instant now);
    void demanded(const core::GatewayId& gateway, const std::vector<core::ModelDemand>& demands,
                  base::Instant now);

    struct Outside {
        // Not revoked, paused or draining.
        std::function<bool(const core::VehicleId&)> may_serve;
        // The model's bytes are there to be fetched.
        std::function<bool(const core::Model&)> has_bytes;
    };
    [[nodiscard]] Changes place(base::Instant now, const Outside& outside);
    void apply(const Changes& changes, base::Instant now);

    // The same again, in a new version: for what an operator has changed.
    [[nodiscard]] store::VehicleAssignment touched(const core::VehicleId& vehicle) const;
    // As the car is told; blobs_url ends in a slash.
    [[nodiscard]] core::Assignment assignment(const store::Vehicle& vehicle,
                                              const std::string& blobs_url) const;
    [[nodiscard]] std::string assigned_model(const core::VehicleId& vehicle) const;
    [[nodiscard]] bool has_assignment(const core::VehicleId& vehicle) const;

    struct Holders {
        std::uint32_t assigned = 0;
        std::uint32_t ready = 0;  // say that they serve it
    };
    [[nodiscard]] std::map<std::string, Holders> holders(base::Instant now) const;

private:
    struct Car {
        std::optional<base::Instant> asked_at{};  // never: its owner chose its model
        std::uint64_t memory_bytes = 0;
        std::vector<std::string> cached_sha256{};  // of models that are registered
        std::optional<base::Instant> announced_at{};
        std::vector<std::string> serves{};
        double tokens_per_second = 0.0;
        std::optional<base::Duration> stay_p50{};
    };
    struct Assigned {
        std::uint64_t version = 0;
        std::string model;
        base::Instant since{};
    };
    struct Demand {
        std::map<std::string, double> answers;  // running and waiting, by model
        base::Instant said_at;
    };

    [[nodiscard]] bool serves(const Car& car, const std::string& model, base::Instant now) const;
    [[nodiscard]] Changes of_holders(const std::string& model, const std::string& becomes) const;
    void see_demand(base::Instant now);
    // False: the car does not count now.
    [[nodiscard]] bool describe(const core::VehicleId& vehicle, const Car& car, base::Instant now,
                                const std::map<std::string, scheduler::ModelNumber>& numbers,
                                scheduler::CarToPlace& out) const;

    // Since somebody listens, each that holds one of these models.
    [[nodiscard]] bool all_heard(
        const std::map<std::string, scheduler::ModelNumber>& numbers) const;
    // Those that were not heard yet, though they hold a model.
    void add_unheard(const std::map<std::string, scheduler::ModelNumber>& numbers,
                     std::vector<scheduler::CarToPlace>& cars) const;

    bool loaded_ = false;
    base::Instant listening_since_{};
    std::map<std::string, core::Model> models_;
    std::map<core::VehicleId, Assigned> assigned_;
    std::map<core::VehicleId, Car> cars_;
    std::map<core::GatewayId, Demand> demands_;
    std::map<std::string, scheduler::DemandTrace> traces_;
};

}  // namespace idlewatt::coordinator
