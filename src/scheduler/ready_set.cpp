// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/ready_set.hpp"

#include <algorithm>
#include <cmath>

#include "base/assert.hpp"
#include "scheduler/stable_hash.hpp"

namespace idlewatt::scheduler {

namespace {

// After this many draws that hit only unwanted cars, look through all of them in a row.
constexpr int draws_max = 8;
// As long as the best one drawn will leave too soon, up to this many are drawn instead of two.
constexpr int candidates_max = 4;

bool is_in(CarNumber car, std::span<const CarNumber> cars) {
    return std::ranges::find(cars, car) != cars.end();
}

bool leaves_too_soon(const CarLoad& load, const Wish& wish) {
    return load.stay_p10 && *load.stay_p10 < wish.stay;
}

double share_busy(const CarLoad& load) {
    return static_cast<double>(load.slots_total - load.slots_free) / load.slots_total;
}

bool better(const CarLoad& a, const CarLoad& b, const Wish& wish) {
    const bool a_leaves = leaves_too_soon(a, wish);
    const bool b_leaves = leaves_too_soon(b, wish);
    if (a_leaves == b_leaves)
        return less_loaded(a, b);
    const double a_load = share_busy(a) + (a_leaves ? short_stay_load : 0.0);
    const double b_load = share_busy(b) + (b_leaves ? short_stay_load : 0.0);
    return a_load != b_load ? a_load < b_load : b_leaves;
}

// Judged with the new answer on it.
bool has_room(const CarLoad& load, const Slots& slots) {
    const double fair_share =
        static_cast<double>(slots.busy + 1) * load.slots_total / static_cast<double>(slots.total);
    const double bound = std::max(std::ceil(affinity_load_factor * fair_share),
                                  affinity_load_floor * load.slots_total);
    return load.slots_total - load.slots_free + 1 <= bound;
}

std::uint64_t point_of(CarNumber car, const CarLoad& load) {
    return load.identity != 0 ? load.identity : mixed(car);
}

bool can(const CarLoad& load, Abilities wanted) {
    return (load.abilities & wanted) == wanted;
}

}  // namespace

bool less_loaded(const CarLoad& a, const CarLoad& b) {
    // busy_a / total_a < busy_b / total_b, without dividing
    const std::uint64_t busy_a = a.slots_total - a.slots_free;
    const std::uint64_t busy_b = b.slots_total - b.slots_free;
    const std::uint64_t left = busy_a * b.slots_total;
    const std::uint64_t right = busy_b * a.slots_total;
    if (left != right)
        return left < right;
    return a.tokens_per_second > b.tokens_per_second;
}

void ReadySet::put(CarNumber car, const CarLoad& load) {
    IDLEWATT_ASSERT(load.slots_free <= load.slots_total);
    IDLEWATT_ASSERT(load.abilities < ability_sets);
    if (update(car, load))
        return;
    remove(car);
    if (load.slots_total == 0)
        return;
    enter(all_, car, load);
    if (load.fleet != any_fleet)
        enter(fleets_[load.fleet], car, load);
    if (load.slots_free == 0)
        full_.emplace(car, load);
}

// The common case, once a second for each car: it only became a little fuller or emptier.
bool ReadySet::update(CarNumber car, const CarLoad& load) {
    const auto place = all_.places.find(car);
    if (place == all_.places.end() || load.slots_free == 0)
        return false;
    const CarLoad& former = all_.entries[place->second].load;
    if (former.identity != load.identity || former.abilities != load.abilities ||
        former.fleet != load.fleet)
        return false;
    const auto write = [&](Pool& pool) {
        CarLoad& kept = pool.entries[pool.places.at(car)].load;
        pool.slots.total += load.slots_total - std::uint64_t{kept.slots_total};
        pool.slots.busy += (load.slots_total - load.slots_free) -
                           std::uint64_t{kept.slots_total - kept.slots_free};
        kept = load;
    };
    if (load.fleet != any_fleet)
        write(fleets_.at(load.fleet));
    write(all_);
    return true;
}

void ReadySet::remove(CarNumber car) {
    CarLoad load;
    const auto place = all_.places.find(car);
    const auto full = full_.find(car);
    if (place != all_.places.end()) {
        load = all_.entries[place->second].load;
    } else if (full != full_.end()) {
        load = full->second;
        full_.erase(full);
    } else {
        return;
    }
    leave(all_, car, load);
    if (load.fleet == any_fleet)
        return;
    const auto fleet = fleets_.find(load.fleet);
    leave(fleet->second, car, load);
    if (fleet->second.slots.total == 0)
        fleets_.erase(fleet);
}

void ReadySet::enter(Pool& pool, CarNumber car, const CarLoad& load) {
    pool.slots.total += load.slots_total;
    pool.slots.busy += load.slots_total - load.slots_free;
    if (load.slots_free == 0)
        return;
    pool.places.emplace(car, pool.entries.size());
    pool.entries.push_back({car, load});
    pool.ring.add(point_of(car, load), car);
    ++pool.with_abilities[load.abilities];
}

void ReadySet::leave(Pool& pool, CarNumber car, const CarLoad& load) {
    pool.slots.total -= load.slots_total;
    pool.slots.busy -= load.slots_total - load.slots_free;
    const auto place = pool.places.find(car);
    if (place == pool.places.end())
        return;
    const std::size_t hole = place->second;
    pool.places.erase(place);
    if (hole + 1 != pool.entries.size()) {
        pool.entries[hole] = pool.entries.back();
        pool.places[pool.entries[hole].car] = hole;
    }
    pool.entries.pop_back();
    pool.ring.remove(point_of(car, load), car);
    --pool.with_abilities[load.abilities];
}

const ReadySet::Pool* ReadySet::pool(FleetNumber fleet) const {
    if (fleet == any_fleet)
        return &all_;
    const auto found = fleets_.find(fleet);
    return found == fleets_.end() ? nullptr : &found->second;
}

Slots ReadySet::slots(FleetNumber fleet) const {
    const Pool* cars = pool(fleet);
    return cars == nullptr ? Slots{} : cars->slots;
}

const ReadySet::Entry* ReadySet::draw(const Pool& pool, const Wish& wish, base::Prng& prng) {
    if (pool.entries.empty())
        return nullptr;
    const auto wanted = [&](const Entry& entry) {
        return can(entry.load, wish.abilities) && !is_in(entry.car, wish.excluded);
    };
    for (int i = 0; i < draws_max; ++i) {
        const Entry& entry = pool.entries[prng.below(pool.entries.size())];
        if (wanted(entry))
            return &entry;
    }
    const std::size_t start = prng.below(pool.entries.size());
    for (std::size_t i = 0; i < pool.entries.size(); ++i) {
        const Entry& entry = pool.entries[(start + i) % pool.entries.size()];
        if (wanted(entry))
            return &entry;
    }
    return nullptr;
}

std::optional<Choice> ReadySet::by_load(const Pool& pool, const Wish& wish, base::Prng& prng) {
    const Entry* best = draw(pool, wish, prng);
    if (best == nullptr)
        return std::nullopt;
    for (int drawn = 1; drawn < 2 || (drawn < candidates_max && leaves_too_soon(best->load, wish));
         ++drawn) {
        const Entry* other = draw(pool, wish, prng);
        if (better(other->load, best->load, wish))
            best = other;
    }
    return Choice{best->car, std::nullopt};
}

// A car that will leave too soon hands its conversations on while it is still there.
std::optional<Choice> ReadySet::by_affinity(const Pool& pool, const Wish& wish) {
    std::optional<Choice> leaving;
    AffinityRing::Walk walk(pool.ring, *wish.affinity);
    for (std::uint32_t place = 0; place < affinity_walk_max; ++place) {
        const std::optional<CarNumber> car = walk.next();
        if (!car)
            break;
        const CarLoad& load = pool.entries[pool.places.at(*car)].load;
        if (is_in(*car, wish.excluded) || !can(load, wish.abilities) || !has_room(load, pool.slots))
            continue;
        if (!leaves_too_soon(load, wish))
            return Choice{*car, place};
        if (!leaving)
            leaving = Choice{*car, place};
    }
    return leaving;
}

std::optional<Choice> ReadySet::choose(const Wish& wish, base::Prng& prng) const {
    const Pool* cars = pool(wish.fleet);
    if (cars == nullptr)
        return std::nullopt;
    std::size_t able = 0;
    for (Abilities abilities = 0; abilities < ability_sets; ++abilities) {
        if ((abilities & wish.abilities) == wish.abilities)
            able += cars->with_abilities[abilities];
    }
    if (able == 0)
        return std::nullopt;
    if (wish.affinity) {
        if (const auto choice = by_affinity(*cars, wish))
            return choice;
    }
    return by_load(*cars, wish, prng);
}

std::optional<CarNumber> ReadySet::choose(base::Prng& prng,
                                          std::span<const CarNumber> excluded) const {
    const auto choice = by_load(all_, {.excluded = excluded}, prng);
    return choice ? std::optional(choice->car) : std::nullopt;
}

}  // namespace idlewatt::scheduler
