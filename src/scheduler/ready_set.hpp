// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The cars that could take an answer for one model right now, as one gateway sees them.
// A value: no clock, no I/O. Every operation is O(1) but for choosing among mostly excluded cars or
// by an ability that few cars have.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/prng.hpp"
#include "base/time.hpp"
#include "scheduler/affinity_ring.hpp"

namespace idlewatt::scheduler {

// A car as its owner (the gateway's fleet view) numbers it.
using CarNumber = std::uint32_t;

// What a car can do besides writing text; a set of bits.
using Abilities = std::uint32_t;
inline constexpr Abilities makes_embeddings = 1U << 0;
inline constexpr Abilities takes_images = 1U << 1;
inline constexpr std::size_t ability_sets = 4;

// A fleet as the gateway numbers it, from its name in memberships and keys.
using FleetNumber = std::uint32_t;
inline constexpr FleetNumber any_fleet = 0;  // of a car: belongs to nobody in particular

struct CarLoad {
    std::uint32_t slots_total = 1;
    std::uint32_t slots_free = 1;
    double tokens_per_second = 0.0;  // 0: unknown
    // stable_hash of the vehicle id, so that all gateways agree where a conversation belongs.
    // 0: from the car's number, which only this gateway knows.
    std::uint64_t identity = 0;
    Abilities abilities = 0;
    FleetNumber fleet = any_fleet;
    // It leaves earlier than this in one of ten cases. Absent: unknown, which counts neither way.
    std::optional<base::Duration> stay_p10{};
};

// True if a is the better place for one more answer: relatively emptier, then faster.
[[nodiscard]] bool less_loaded(const CarLoad& a, const CarLoad& b);

// What an answer asks of its car.
struct Wish {
    std::span<const CarNumber> excluded{};
    // stable_hash of what all turns of one conversation share: the model, the instructions and the
    // first message. The car that had the last turn still has its tokens in the engine's cache.
    std::optional<std::uint64_t> affinity{};
    base::Duration stay{};  // how long the work will take; 0: unknown
    Abilities abilities = 0;
    FleetNumber fleet = any_fleet;  // any other: only cars of this fleet
};

// Conversations go to their own car while its load is at most this times the mean of all cars, else
// to the next in their order: Mirrokni, Thorup, Zadimoghaddam, "Consistent hashing with bounded
// loads" (SODA 2018, arXiv 1608.01350).
inline constexpr double affinity_load_factor = 1.25;
// A car with at most this share of its slots busy is never too full: when little is asked the mean
// is so small that two conversations of one car would already chase each other away.
inline constexpr double affinity_load_floor = 0.5;
// So many cars of a conversation's order are looked at; then it goes wherever there is room.
inline constexpr int affinity_walk_max = 16;
// A car that will probably leave before the work is done counts as this much fuller: of two that
// are about as full the other one is taken.
inline constexpr double short_stay_load = 0.25;

struct Choice {
    CarNumber car = 0;
    // By affinity: how many cars came before it in the conversation's order; 0: its own car.
    // Absent: chosen by load.
    std::optional<std::uint32_t> place{};
};

// Slots of all cars that hold the model and would work, the full ones too.
struct Slots {
    std::uint64_t total = 0;
    std::uint64_t busy = 0;
};

class ReadySet {
public:
    // Adds or updates. A car without a free slot cannot be chosen, but counts in slots().
    void put(CarNumber car, const CarLoad& load);
    void remove(CarNumber car);

    // Cars with a free slot.
    [[nodiscard]] std::size_t size() const { return all_.entries.size(); }
    [[nodiscard]] bool contains(CarNumber car) const { return all_.places.contains(car); }
    // No car at all, not even a full one.
    [[nodiscard]] bool empty() const { return size() == 0 && full_.empty(); }
    [[nodiscard]] Slots slots(FleetNumber fleet = any_fleet) const;

    // With an affinity: the first car of its order that has room. Otherwise the power of two
    // choices. nullopt: nobody who is wanted is ready.
    [[nodiscard]] std::optional<Choice> choose(const Wish& wish, base::Prng& prng) const;
    // Two draws, the better one. Cars in excluded are passed over; nullopt: nobody else is ready.
    [[nodiscard]] std::optional<CarNumber> choose(base::Prng& prng,
                                                  std::span<const CarNumber> excluded) const;

private:
    struct Entry {
        CarNumber car;
        CarLoad load;
    };
    // All cars, or those of one fleet.
    struct Pool {
        std::vector<Entry> entries;
        std::unordered_map<CarNumber, std::size_t> places;
        AffinityRing ring;
        std::array<std::size_t, ability_sets> with_abilities{};
        Slots slots;  // of the full cars too
    };

    bool update(CarNumber car, const CarLoad& load);
    static void enter(Pool& pool, CarNumber car, const CarLoad& load);
    static void leave(Pool& pool, CarNumber car, const CarLoad& load);
    [[nodiscard]] const Pool* pool(FleetNumber fleet) const;
    [[nodiscard]] static std::optional<Choice> by_affinity(const Pool& pool, const Wish& wish);
    [[nodiscard]] static std::optional<Choice> by_load(const Pool& pool, const Wish& wish,
                                                       base::Prng& prng);
    [[nodiscard]] static const Entry* draw(const Pool& pool, const Wish& wish, base::Prng& prng);

    Pool all_;
    std::unordered_map<FleetNumber, Pool> fleets_;
    std::unordered_map<CarNumber, CarLoad> full_;
};

}  // namespace idlewatt::scheduler
