// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How many cars each model ought to have, as numbers only.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <queue>

#include "base/assert.hpp"
#include "scheduler/placement.hpp"

namespace idlewatt::scheduler {

namespace {

std::uint64_t memory_needed(const ModelToPlace& model) {
    return static_cast<std::uint64_t>(
               std::ceil(static_cast<double>(model.bytes) * model_memory_factor)) +
           model_memory_extra_bytes;
}

// Whoever can hold a model can hold every smaller one. So numbers of cars for the models can be
// had if, for each model, it and all larger ones together want no more cars than there are that
// can hold it.
class Room {
public:
    Room(std::span<const CarToPlace> cars, std::span<const ModelToPlace> models)
        : by_size_(models.size()), rank_(models.size()), left_(models.size(), 0) {
        std::iota(by_size_.begin(), by_size_.end(), ModelNumber{0});
        std::ranges::stable_sort(by_size_, {}, [&](ModelNumber m) { return models[m].bytes; });
        std::vector<std::uint64_t> needed;
        for (std::size_t rank = 0; rank < by_size_.size(); ++rank) {
            rank_[by_size_[rank]] = rank;
            needed.push_back(memory_needed(models[by_size_[rank]]));
        }
        for (const CarToPlace& car : cars) {
            const auto too_large = std::ranges::upper_bound(needed, car.memory_bytes);
            if (!car.fixed && too_large != needed.begin())
                ++left_[static_cast<std::size_t>(too_large - needed.begin()) - 1];
        }
        for (std::size_t rank = left_.size(); rank-- > 1;)
            left_[rank - 1] += left_[rank];
    }

    // Takes a car for the model, if one can still be had.
    bool take(ModelNumber model) {
        const auto end = left_.begin() + static_cast<std::ptrdiff_t>(rank_[model]) + 1;
        if (std::any_of(left_.begin(), end, [](std::int64_t left) { return left == 0; }))
            return false;
        std::for_each(left_.begin(), end, [](std::int64_t& left) { --left; });
        return true;
    }

private:
    std::vector<ModelNumber> by_size_;
    std::vector<std::size_t> rank_;
    // For each model from the smallest: cars that can hold it, less what it and larger ones took.
    std::vector<std::int64_t> left_;
};

struct Claim {
    double quotient;
    ModelNumber model;
    bool operator<(const Claim& other) const {
        return quotient != other.quotient ? quotient < other.quotient : model > other.model;
    }
};

// Car by car to the highest weight / (2 × cars + 1), until nobody can take one.
void share_out(std::span<const double> weights, Room& room, std::vector<std::uint32_t>& cars) {
    const auto claim = [&](ModelNumber model) {
        return Claim{weights[model] / (2.0 * cars[model] + 1.0), model};
    };
    std::priority_queue<Claim> claims;
    for (ModelNumber model = 0; model < weights.size(); ++model) {
        if (weights[model] > 0.0)
            claims.push(claim(model));
    }
    while (!claims.empty()) {
        const ModelNumber model = claims.top().model;
        claims.pop();
        // Once there is no room for it there never will be.
        if (!room.take(model))
            continue;
        ++cars[model];
        claims.push(claim(model));
    }
}

}  // namespace

bool fits(const ModelToPlace& model, const CarToPlace& car) {
    return memory_needed(model) <= car.memory_bytes;
}

PlacementTargets placement_targets(std::span<const CarToPlace> cars,
                                   std::span<const ModelToPlace> models) {
    std::vector<std::uint32_t> count(models.size(), 0);
    for (const CarToPlace& car : cars) {
        IDLEWATT_ASSERT(!car.model || *car.model < models.size());
        if (car.fixed && car.model)
            ++count[*car.model];
    }
    Room room(cars, models);
    PlacementTargets targets;
    std::vector<bool> settled(models.size(), false);
    for (bool more = true; more;) {
        more = false;
        for (ModelNumber model = 0; model < models.size(); ++model) {
            if (settled[model])
                continue;
            if (count[model] < models[model].replicas_min && room.take(model)) {
                ++count[model];
                more = true;
            } else {
                settled[model] = true;
            }
        }
    }
    for (ModelNumber model = 0; model < models.size(); ++model)
        targets.minimum.push_back(std::min(count[model], models[model].replicas_min));
    std::vector<double> demand;
    std::vector<double> size;
    for (const ModelToPlace& model : models) {
        demand.push_back(model.demand);
        size.push_back(std::max<std::uint32_t>(model.replicas_min, 1));
    }
    share_out(demand, room, count);
    share_out(size, room, count);
    targets.wanted = std::move(count);
    return targets;
}

}  // namespace idlewatt::scheduler
