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

std::uint64_t point_of(CarNumber car, const CarLoad& load) {
    return load.identity != 0 ? load.identity : mixed(car);
}

std::uint32_t stay_ms(const CarLoad& load) {
    constexpr std::uint32_t unknown = UINT32_MAX;
    if (!load.stay_p10)
        return unknown;
    const std::int64_t stay = std::max<std::int64_t>(load.stay_p10->whole_milliseconds(), 0);
    return static_cast<std::uint32_t>(std::min<std::int64_t>(stay, unknown));
}

// busy_a / total_a < busy_b / total_b, without dividing
template <class Load>
bool is_less_loaded(const Load& a, const Load& b) {
    const std::uint64_t busy_a = a.slots_total - a.slots_free;
    const std::uint64_t busy_b = b.slots_total - b.slots_free;
    const std::uint64_t left = busy_a * b.slots_total;
    const std::uint64_t right = busy_b * a.slots_total;
    if (left != right)
        return left < right;
    return a.tokens_per_second > b.tokens_per_second;
}

}  // namespace

bool less_loaded(const CarLoad& a, const CarLoad& b) {
    return is_less_loaded(a, b);
}

ReadySet::Entry::Entry(CarNumber number, const CarLoad& load)
    : point(point_of(number, load)),
      car(number),
      slots_total(load.slots_total),
      slots_free(load.slots_free),
      tokens_per_second(static_cast<float>(load.tokens_per_second)),
      stay_p10_ms(stay_ms(load)),
      fleet(load.fleet & fleet_number_max),
      abilities(load.abilities & (ability_sets - 1)) {}

bool ReadySet::Entry::leaves_too_soon(const Wish& wish) const {
    return stay_p10_ms < wish.stay.whole_milliseconds();
}

bool ReadySet::better(const Entry& a, const Entry& b, const Wish& wish) {
    const bool a_leaves = a.leaves_too_soon(wish);
    const bool b_leaves = b.leaves_too_soon(wish);
    if (a_leaves == b_leaves)
        return is_less_loaded(a, b);
    const auto fullness = [](const Entry& entry, bool leaves) {
        return static_cast<double>(entry.busy()) / entry.slots_total +
               (leaves ? short_stay_load : 0.0);
    };
    const double a_load = fullness(a, a_leaves);
    const double b_load = fullness(b, b_leaves);
    return a_load != b_load ? a_load < b_load : b_leaves;
}

// Judged with the new answer on it.
bool ReadySet::has_room(const Entry& entry, const Slots& slots) {
    const double fair_share =
        static_cast<double>(slots.busy + 1) * entry.slots_total / static_cast<double>(slots.total);
    const double bound = std::max(std::ceil(affinity_load_factor * fair_share),
                                  affinity_load_floor * entry.slots_total);
    return entry.busy() + 1 <= bound;
}

void ReadySet::put(CarNumber car, const CarLoad& load) {
    IDLEWATT_ASSERT(load.slots_free <= load.slots_total);
    IDLEWATT_ASSERT(load.abilities < ability_sets && load.fleet <= fleet_number_max);
    if (load.slots_total == 0)
        return remove(car);
    const Entry entry(car, load);
    const auto place = all_.places.find(car);
    if (place) {
        const Entry& former = all_.entries[*place];
        // The common case, once a second for each car: it only became a little fuller or emptier.
        if (former.point == entry.point && former.fleet == entry.fleet) {
            all_.update(entry);
            if (entry.fleet != any_fleet)
                fleets_.at(entry.fleet).update(entry);
            return;
        }
        remove(car);
    }
    all_.enter(entry);
    if (entry.fleet != any_fleet)
        fleets_[entry.fleet].enter(entry);
}

void ReadySet::remove(CarNumber car) {
    const auto place = all_.places.find(car);
    if (!place)
        return;
    const FleetNumber number = all_.entries[*place].fleet;
    all_.leave(car);
    if (number == any_fleet)
        return;
    const auto fleet = fleets_.find(number);
    fleet->second.leave(car);
    if (fleet->second.entries.empty())
        fleets_.erase(fleet);
}

void ReadySet::Pool::count(const Entry& entry) {
    slots.total += entry.slots_total;
    slots.busy += entry.busy();
    with_abilities[entry.abilities] += entry.slots_free > 0 ? 1 : 0;
}

void ReadySet::Pool::discount(const Entry& entry) {
    slots.total -= entry.slots_total;
    slots.busy -= entry.busy();
    with_abilities[entry.abilities] -= entry.slots_free > 0 ? 1 : 0;
}

// Among the last of the full ones; gives its new place.
std::size_t ReadySet::Pool::make_ready(std::size_t place) {
    const std::size_t to = ready++;
    if (to != place) {
        std::swap(entries[to], entries[place]);
        places.set(entries[place].car, static_cast<std::uint32_t>(place));
        places.set(entries[to].car, static_cast<std::uint32_t>(to));
    }
    ring.add(entries[to].point, static_cast<std::uint32_t>(to));
    return to;
}

std::size_t ReadySet::Pool::retire(std::size_t place) {
    const std::size_t to = --ready;
    ring.remove(entries[place].point, static_cast<std::uint32_t>(place));
    if (to != place) {
        ring.renumber(entries[to].point, static_cast<std::uint32_t>(to),
                      static_cast<std::uint32_t>(place));
        std::swap(entries[to], entries[place]);
        places.set(entries[place].car, static_cast<std::uint32_t>(place));
        places.set(entries[to].car, static_cast<std::uint32_t>(to));
    }
    return to;
}

void ReadySet::Pool::enter(const Entry& entry) {
    count(entry);
    const std::size_t place = entries.size();
    entries.push_back(entry);
    places.set(entry.car, static_cast<std::uint32_t>(place));
    if (entry.slots_free > 0)
        make_ready(place);
}

// The same car, point and fleet.
void ReadySet::Pool::update(const Entry& entry) {
    std::size_t place = *places.find(entry.car);
    discount(entries[place]);
    count(entry);
    const bool was_ready = place < ready;
    if (was_ready && entry.slots_free == 0) {
        place = retire(place);
    } else if (!was_ready && entry.slots_free > 0) {
        place = make_ready(place);
    }
    entries[place] = entry;
}

void ReadySet::Pool::leave(CarNumber car) {
    std::size_t place = *places.find(car);
    discount(entries[place]);
    if (place < ready)
        place = retire(place);
    if (place + 1 != entries.size()) {
        entries[place] = entries.back();
        places.set(entries[place].car, static_cast<std::uint32_t>(place));
    }
    entries.pop_back();
    places.erase(car);
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
    if (pool.ready == 0)
        return nullptr;
    const auto wanted = [&](const Entry& entry) {
        return entry.can(wish.abilities) && !is_in(entry.car, wish.excluded);
    };
    for (int i = 0; i < draws_max; ++i) {
        const Entry& entry = pool.entries[prng.below(pool.ready)];
        if (wanted(entry))
            return &entry;
    }
    const std::size_t start = prng.below(pool.ready);
    for (std::size_t i = 0; i < pool.ready; ++i) {
        const Entry& entry = pool.entries[(start + i) % pool.ready];
        if (wanted(entry))
            return &entry;
    }
    return nullptr;
}

std::optional<Choice> ReadySet::by_load(const Pool& pool, const Wish& wish, base::Prng& prng) {
    const Entry* best = draw(pool, wish, prng);
    if (best == nullptr)
        return std::nullopt;
    for (int drawn = 1; drawn < 2 || (drawn < candidates_max && best->leaves_too_soon(wish));
         ++drawn) {
        const Entry* other = draw(pool, wish, prng);
        if (better(*other, *best, wish))
            best = other;
    }
    return Choice{best->car, std::nullopt};
}

// A car that will leave too soon hands its conversations on while it is still there.
std::optional<Choice> ReadySet::by_affinity(const Pool& pool, const Wish& wish) {
    std::optional<Choice> leaving;
    AffinityRing::Walk walk(pool.ring, *wish.affinity);
    for (std::uint32_t place = 0; place < affinity_walk_max; ++place) {
        const std::optional<std::uint32_t> at = walk.next();
        if (!at)
            break;
        const Entry& entry = pool.entries[*at];
        if (is_in(entry.car, wish.excluded) || !entry.can(wish.abilities) ||
            !has_room(entry, pool.slots))
            continue;
        if (!entry.leaves_too_soon(wish))
            return Choice{entry.car, place};
        if (!leaving)
            leaving = Choice{entry.car, place};
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
