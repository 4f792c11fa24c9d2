// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The cars as one gateway sees them: built from announcements, corrected by what it experiences.
// Soft state, a value without clock or I/O; lost with the gateway and rebuilt within a second.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/huge_pages.hpp"
#include "base/prng.hpp"
#include "base/time.hpp"
#include "core/announcement.hpp"
#include "gateway/car_names.hpp"
#include "scheduler/scheduler.hpp"
#include "wire/fleet.hpp"

namespace idlewatt::gateway {

using scheduler::CarNumber;

// A silent car is shown as unreachable for this long, then forgotten.
inline constexpr base::Duration remembered_for = base::minutes(10);
inline constexpr std::size_t cars_max = 2'000'000;
// Fleets that have a number; cars of further ones count as nobody's.
inline constexpr std::size_t fleets_max = 100'000;
// While cars that keep failing hold more than this share of a model's slots they are used all the
// same: then it is hardly they who are at fault, and little else is left.
inline constexpr double shunned_share_max = 0.5;

// What a work asks of its car besides the model.
struct CarNeeds {
    scheduler::Abilities abilities = 0;
    std::optional<std::string> fleet{};  // only cars whose membership names this one
};

struct Car {
    core::Announcement said;
    std::string fleet;  // that its membership proves
    scheduler::FleetNumber fleet_number = scheduler::any_fleet;
    std::uint64_t identity = 0;  // scheduler::stable_hash of its name
    base::Instant heard_at;
    std::uint32_t active = 0;  // attempts that this gateway has open on it
    bool reachable = false;
    bool full = false;  // it refused for lack of a slot; until its next announcement
};

class FleetView {
public:
    struct News {
        bool accepted = false;      // false: older than what is known
        bool reincarnated = false;  // the agent has been restarted: its former attempts are lost
        CarNumber car = 0;
    };

    News announced(const core::Announcement& announcement, const std::string& fleet,
                   base::Instant now);
    // The car's connection has ended. nullopt: not the run of the agent that is known.
    std::optional<CarNumber> left(const core::VehicleId& vehicle, core::Incarnation incarnation,
                                  base::Instant now);
    // Not to be chosen until it announces itself again.
    void distrust(CarNumber car, base::Instant now);
    void saw_full(CarNumber car, base::Instant now);
    void attempt_began(CarNumber car, base::Instant now);
    // How it ended decides whether the car is left alone for a while.
    void attempt_ended(CarNumber car, scheduler::Ending ending, base::Instant now);
    // Cars that have fallen silent since the last call.
    [[nodiscard]] std::vector<CarNumber> expire(base::Instant now);
    // The gateway itself was cut off: silence until now means nothing.
    void excuse_silence(base::Instant now);

    // The wish's abilities and fleet come from the needs. Urgent: rather a car that keeps failing
    // than none now.
    [[nodiscard]] std::optional<scheduler::Choice> choose(const std::string& model,
                                                          const CarNeeds& needs,
                                                          scheduler::Wish wish, bool urgent,
                                                          base::Prng& prng) const;
    [[nodiscard]] const Car& car(CarNumber number) const { return cars_[number]; }
    // All that were ever heard: their numbers are below this one and stay.
    [[nodiscard]] std::size_t size() const { return cars_.size(); }

    // ── what there is ──
    // By number of cars that have held it, then by name; the first is the default.
    [[nodiscard]] std::vector<std::string> models() const;
    // The first of these; null: no car has held any. Until the next change.
    [[nodiscard]] const std::string* default_model() const;
    struct ModelSummary {
        std::string model;
        std::uint32_t context_tokens = 0;  // of the car that has least; 0: unknown
        bool embeddings = false;
        bool image_input = false;
        std::uint32_t vehicles_ready = 0;
        double tokens_per_second = 0.0;
    };
    // In the same order. O(cars).
    [[nodiscard]] std::vector<ModelSummary> summaries() const;
    [[nodiscard]] bool knows_model(const std::string& model) const;
    // Some car that has held it lately meets the needs, ready or not.
    [[nodiscard]] bool offers(const std::string& model, const CarNeeds& needs) const;
    [[nodiscard]] scheduler::Slots slots(const std::string& model, const CarNeeds& needs) const;
    // The last moment at which a car of that fleet would have worked on the model; nullopt: never.
    [[nodiscard]] std::optional<base::Instant> served_until(const std::string& model,
                                                            const CarNeeds& needs) const;
    // When the last one began of the cars that are loading a model, and this is the one that they
    // held last, or nobody knows; nullopt: there is none.
    [[nodiscard]] std::optional<base::Instant> expected_since(const std::string& model,
                                                              const CarNeeds& needs) const;
    struct Census {
        std::size_t ready = 0;
        std::size_t unreachable = 0;
        std::map<core::Reason, std::size_t> ineligible;  // reachable, by the reason they give
        std::uint64_t slots_free = 0;                    // of the ready ones
        std::uint64_t slots_busy = 0;
    };
    // O(cars).
    [[nodiscard]] Census census(base::Instant now) const;
    [[nodiscard]] bool knows_vehicle(const core::VehicleId& vehicle) const;
    [[nodiscard]] std::vector<wire::VehicleRow> rows(base::Instant now) const;
    // nullopt: not known, or forgotten.
    [[nodiscard]] std::optional<wire::VehicleRow> row(const core::VehicleId& vehicle,
                                                      base::Instant now) const;

private:
    // What a car held and could do when it was last ready: the catalogue outlives a recall. No
    // models: nothing is known, or no longer.
    struct Held {
        std::vector<std::string> models;
        scheduler::Abilities abilities = 0;
        scheduler::FleetNumber fleet = scheduler::any_fleet;
        friend bool operator==(const Held&, const Held&) = default;
    };
    struct Holders {
        std::size_t cars = 0;
        std::size_t with_embeddings = 0;
        std::size_t with_images = 0;
    };

    // Cars of one model that would work.
    struct Willing {
        scheduler::ReadySet trusted;
        scheduler::ReadySet shunned;  // their breaker is open
        [[nodiscard]] bool empty() const { return trusted.empty() && shunned.empty(); }
        [[nodiscard]] bool serves(scheduler::FleetNumber fleet) const {
            return trusted.slots(fleet).total + shunned.slots(fleet).total > 0;
        }
        [[nodiscard]] bool use_shunned(scheduler::FleetNumber fleet) const;
    };

    [[nodiscard]] std::optional<CarNumber> find(const core::VehicleId& vehicle,
                                                std::uint64_t identity) const;
    [[nodiscard]] static std::optional<wire::VehicleRow> row_of(const Car& car, base::Instant now);
    void update_ready(CarNumber number, base::Instant now);
    void unready(CarNumber number, const std::string& model, base::Instant now);
    void hold(CarNumber number, const core::Announcement& said);
    void forget_held(CarNumber number);
    void look_for_silence(CarNumber number, base::Instant now, std::vector<CarNumber>& silent);
    // Unless it is heard before.
    [[nodiscard]] static base::Instant looked_for_at(const Car& car);
    void count_held(const Held& held, int by);
    [[nodiscard]] scheduler::FleetNumber number_of_fleet(const std::string& fleet);
    // any_fleet if none is asked for; nullopt: no car is known to be of it.
    [[nodiscard]] std::optional<scheduler::FleetNumber> find_fleet(const CarNeeds& needs) const;

    std::vector<Car, base::HugePages<Car>> cars_;
    // Of each car: it is looked for many times a second who has fallen silent, and this is all that
    // has to be read of those who have not.
    std::vector<base::Instant, base::HugePages<base::Instant>> looked_for_at_;
    std::vector<Held, base::HugePages<Held>> held_;  // of each car
    CarNames names_;
    std::unordered_map<std::string, Willing> willing_;
    std::map<std::pair<std::string, scheduler::FleetNumber>, base::Instant> served_until_;
    std::map<CarNumber, base::Instant> loading_;  // since when
    std::unordered_map<std::string, scheduler::FleetNumber> fleet_numbers_;
    std::map<std::pair<std::string, scheduler::FleetNumber>, Holders> holders_;
    scheduler::Breakers breakers_;
};

}  // namespace idlewatt::gateway
