// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The cars that could take an answer for one model right now, as one gateway sees them.
// A value: no clock, no I/O. Every operation is O(1) but for choosing among mostly excluded cars or
// by an ability that few cars have. Memory: about 65 bytes a car, and twice that if it is of a
// fleet.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/huge_pages.hpp"
#include "base/prng.hpp"
#include "base/time.hpp"
#include "scheduler/affinity_ring.hpp"
#include "scheduler/car_places.hpp"

namespace idlewatt::scheduler {

// What a car can do besides writing text; a set of bits.
using Abilities = std::uint32_t;
inline constexpr Abilities makes_embeddings = 1U << 0;
inline constexpr Abilities takes_images = 1U << 1;
inline constexpr int ability_bits = 2;
inline constexpr std::size_t ability_sets = 1 << ability_bits;

// A fleet as the gateway numbers it, from its name in memberships and keys.
using FleetNumber = std::uint32_t;
inline constexpr FleetNumber any_fleet = 0;  // of a car: belongs to nobody in particular
inline constexpr FleetNumber fleet_number_max = (1U << (32 - ability_bits)) - 1;

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
    [[nodiscard]] std::size_t size() const { return all_.ready; }
    // No car at all, not even a full one.
    [[nodiscard]] bool empty() const { return all_.entries.empty(); }
    [[nodiscard]] Slots slots(FleetNumber fleet = any_fleet) const;

    // With an affinity: the first car of its order that has room. Otherwise the power of two
    // choices. nullopt: nobody who is wanted is ready.
    [[nodiscard]] std::optional<Choice> choose(const Wish& wish, base::Prng& prng) const;
    // Two draws, the better one. Cars in excluded are passed over; nullopt: nobody else is ready.
    [[nodiscard]] std::optional<CarNumber> choose(base::Prng& prng,
                                                  std::span<const CarNumber> excluded) const;

private:
    // Half of a cache line: a choice among a million cars is the wait for main memory.
    struct alignas(32) Entry {
        Entry(CarNumber number, const CarLoad& load);
        [[nodiscard]] bool leaves_too_soon(const Wish& wish) const;
        [[nodiscard]] bool can(Abilities wanted) const { return (abilities & wanted) == wanted; }
        [[nodiscard]] std::uint32_t busy() const { return slots_total - slots_free; }

        std::uint64_t point;  // on the ring
        CarNumber car;
        std::uint32_t slots_total;
        std::uint32_t slots_free;
        float tokens_per_second;
        std::uint32_t stay_p10_ms;  // UINT32_MAX: unknown, or longer than anybody asks for
        FleetNumber fleet : 32 - ability_bits;
        Abilities abilities : ability_bits;
    };
    // All cars, or those of one fleet.
    struct Pool {
        std::vector<Entry, base::HugePages<Entry>> entries;  // first those with a free slot
        std::size_t ready = 0;                               // so many
        CarPlaces places;                                    // of all of them
        AffinityRing ring;                                   // the ready ones, each by its place
        std::array<std::size_t, ability_sets> with_abilities{};  // ready ones
        Slots slots;

        void enter(const Entry& entry);
        void update(const Entry& entry);
        void leave(CarNumber car);

    private:
        std::size_t make_ready(std::size_t place);
        std::size_t retire(std::size_t place);
        void count(const Entry& entry);
        void discount(const Entry& entry);
    };

    [[nodiscard]] const Pool* pool(FleetNumber fleet) const;
    [[nodiscard]] static bool better(const Entry& a, const Entry& b, const Wish& wish);
    [[nodiscard]] static bool has_room(const Entry& entry, const Slots& slots);
    [[nodiscard]] static std::optional<Choice> by_affinity(const Pool& pool, const Wish& wish);
    [[nodiscard]] static std::optional<Choice> by_load(const Pool& pool, const Wish& wish,
                                                       base::Prng& prng);
    [[nodiscard]] static const Entry* draw(const Pool& pool, const Wish& wish, base::Prng& prng);

    Pool all_;
    std::unordered_map<FleetNumber, Pool> fleets_;
};

}  // namespace idlewatt::scheduler
