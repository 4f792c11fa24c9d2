// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/ready_set.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace idlewatt::scheduler {

namespace {

// After this many draws that hit only excluded cars, look through all of them in a row.
constexpr int draws_max = 8;

bool is_in(CarNumber car, std::span<const CarNumber> cars) {
    return std::ranges::find(cars, car) != cars.end();
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
    if (load.slots_free == 0) {
        remove(car);
        return;
    }
    const auto [place, added] = places_.try_emplace(car, entries_.size());
    if (added) {
        entries_.push_back({car, load});
    } else {
        entries_[place->second].load = load;
    }
}

void ReadySet::remove(CarNumber car) {
    const auto found = places_.find(car);
    if (found == places_.end())
        return;
    const std::size_t hole = found->second;
    places_.erase(found);
    if (hole + 1 != entries_.size()) {
        entries_[hole] = entries_.back();
        places_[entries_[hole].car] = hole;
    }
    entries_.pop_back();
}

const ReadySet::Entry* ReadySet::draw(base::Prng& prng, std::span<const CarNumber> excluded) const {
    if (entries_.empty())
        return nullptr;
    for (int i = 0; i < draws_max; ++i) {
        const Entry& entry = entries_[prng.below(entries_.size())];
        if (!is_in(entry.car, excluded))
            return &entry;
    }
    const std::size_t start = prng.below(entries_.size());
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        const Entry& entry = entries_[(start + i) % entries_.size()];
        if (!is_in(entry.car, excluded))
            return &entry;
    }
    return nullptr;
}

std::optional<CarNumber> ReadySet::choose(base::Prng& prng,
                                          std::span<const CarNumber> excluded) const {
    const Entry* first = draw(prng, excluded);
    if (first == nullptr)
        return std::nullopt;
    const Entry* second = draw(prng, excluded);
    return less_loaded(second->load, first->load) ? second->car : first->car;
}

}  // namespace idlewatt::scheduler
