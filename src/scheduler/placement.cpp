// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/placement.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

#include "base/assert.hpp"

namespace idlewatt::scheduler {

namespace {

using CarIndex = std::uint32_t;

// The fleet as it will be, changed car by car.
class Plan {
public:
    Plan(std::span<const CarToPlace> cars, std::span<const ModelToPlace> models);

    void use_idle_cars();
    void move_cars();
    [[nodiscard]] std::vector<PlacementChange> changes() const;

private:
    static constexpr ModelNumber no_model = std::numeric_limits<ModelNumber>::max();

    // Less is better: what a car costs as the next one of a model. The car itself comes last.
    using Cost = std::tuple<bool, bool, std::uint64_t, double, CarIndex>;
    // Cars of one giver that fit one taker: a heap with the cheapest on top. Some may be gone.
    using Offer = std::vector<Cost>;

    [[nodiscard]] bool has_cached(CarIndex car, ModelNumber model) const;
    [[nodiscard]] Cost cost(CarIndex car, ModelNumber model) const;
    // giver: no_model means the idle cars.
    [[nodiscard]] std::optional<CarIndex> cheapest(ModelNumber giver, ModelNumber taker);
    [[nodiscard]] bool has_car_for(ModelNumber giver, ModelNumber taker);
    [[nodiscard]] double load(ModelNumber model, std::uint32_t cars) const;
    [[nodiscard]] std::optional<ModelNumber> neediest(CarIndex car, bool beyond_wanted) const;
    [[nodiscard]] bool is_short(ModelNumber model) const {
        return held_[model] < targets_.minimum[model];
    }
    [[nodiscard]] bool may_give(ModelNumber giver, ModelNumber taker) const;
    [[nodiscard]] std::vector<ModelNumber> takers() const;
    bool serve(ModelNumber taker);
    void assign(CarIndex car, ModelNumber model);

    std::span<const CarToPlace> cars_;
    std::span<const ModelToPlace> models_;
    PlacementTargets targets_;
    std::vector<ModelNumber> by_size_;  // the largest first
    std::vector<ModelNumber> model_of_;
    std::vector<std::uint32_t> held_;     // cars that hold or will hold the model
    std::vector<std::uint32_t> serving_;  // those that serve it already
    // Cars that hold nothing useful; and of each model those that serve it and may be asked to load
    // another, the largest first. A car that has been given a new model stays in its list: whoever
    // looks compares with model_of_.
    std::vector<CarIndex> idle_;
    std::vector<std::vector<CarIndex>> movable_;
    std::vector<std::size_t> largest_;  // where in movable_ the first stands that is still there
    std::map<std::pair<ModelNumber, ModelNumber>, Offer> offers_;
    std::size_t moving_ = 0;
};

Plan::Plan(std::span<const CarToPlace> cars, std::span<const ModelToPlace> models)
    : cars_(cars),
      models_(models),
      targets_(placement_targets(cars, models)),
      by_size_(models.size()),
      model_of_(cars.size(), no_model),
      held_(models.size(), 0),
      serving_(models.size(), 0),
      movable_(models.size()),
      largest_(models.size(), 0) {
    std::iota(by_size_.begin(), by_size_.end(), ModelNumber{0});
    std::ranges::stable_sort(by_size_, std::greater{},
                             [&](ModelNumber model) { return models[model].bytes; });
    for (CarIndex i = 0; i < cars.size(); ++i) {
        const CarToPlace& car = cars[i];
        const bool holds = car.model && (car.fixed || fits(models[*car.model], car));
        if (!holds) {
            if (!car.fixed)
                idle_.push_back(i);
            continue;
        }
        model_of_[i] = *car.model;
        ++held_[*car.model];
        if (car.moving) {
            ++moving_;
            continue;
        }
        ++serving_[*car.model];
        if (!car.fixed)
            movable_[*car.model].push_back(i);
    }
    for (std::vector<CarIndex>& movable : movable_) {
        std::ranges::stable_sort(movable, std::greater{},
                                 [&](CarIndex car) { return cars[car].memory_bytes; });
    }
}

bool Plan::has_cached(CarIndex car, ModelNumber model) const {
    return std::ranges::find(cars_[car].cached, model) != cars_[car].cached.end();
}

Plan::Cost Plan::cost(CarIndex car, ModelNumber model) const {
    const CarToPlace& it = cars_[car];
    const bool leaves_soon = it.stay_p50 && *it.stay_p50 < placement_stay_wanted;
    // The smallest that will do: the large ones are for what fits nowhere else.
    return {!has_cached(car, model), leaves_soon, it.memory_bytes, -it.tokens_per_second, car};
}

std::optional<CarIndex> Plan::cheapest(ModelNumber giver, ModelNumber taker) {
    const auto [place, is_new] = offers_.try_emplace({giver, taker});
    Offer& offer = place->second;
    if (is_new) {
        for (const CarIndex car : giver == no_model ? idle_ : movable_[giver]) {
            if (model_of_[car] == giver && fits(models_[taker], cars_[car]))
                offer.push_back(cost(car, taker));
        }
        std::ranges::make_heap(offer, std::greater{});
    }
    while (!offer.empty()) {
        const CarIndex car = std::get<CarIndex>(offer.front());
        if (model_of_[car] == giver)
            return car;
        std::ranges::pop_heap(offer, std::greater{});
        offer.pop_back();
    }
    return std::nullopt;
}

bool Plan::has_car_for(ModelNumber giver, ModelNumber taker) {
    std::size_t& largest = largest_[giver];
    while (largest < movable_[giver].size() && model_of_[movable_[giver][largest]] != giver)
        ++largest;
    return largest < movable_[giver].size() &&
           fits(models_[taker], cars_[movable_[giver][largest]]);
}

// Answers wanted of each car, if there were so many.
double Plan::load(ModelNumber model, std::uint32_t cars) const {
    if (models_[model].demand <= 0.0)
        return 0.0;
    return cars == 0 ? std::numeric_limits<double>::infinity() : models_[model].demand / cars;
}

void Plan::assign(CarIndex car, ModelNumber model) {
    if (const ModelNumber former = model_of_[car]; former != no_model) {
        --held_[former];
        --serving_[former];
    }
    model_of_[car] = model;
    ++held_[model];
    ++moving_;
}

// The model that fits the car and has the highest demand per car; preferably one that is on its
// disk.
std::optional<ModelNumber> Plan::neediest(CarIndex car, bool beyond_wanted) const {
    const auto rank = [&](ModelNumber model) {
        const double weight = models_[model].demand > 0.0 ? models_[model].demand : 0.0;
        return std::tuple(has_cached(car, model), weight / (2.0 * held_[model] + 1.0),
                          -static_cast<double>(held_[model]));
    };
    std::optional<std::pair<decltype(rank(0)), ModelNumber>> best;
    for (ModelNumber model = 0; model < models_.size(); ++model) {
        const bool wanted = beyond_wanted || held_[model] < targets_.wanted[model];
        if (!wanted || !fits(models_[model], cars_[car]))
            continue;
        const auto ranked = rank(model);
        if (!best || ranked > best->first)
            best.emplace(ranked, model);
    }
    return best ? std::optional(best->second) : std::nullopt;
}

void Plan::use_idle_cars() {
    for (const ModelNumber model : by_size_) {
        while (is_short(model)) {
            const auto car = cheapest(no_model, model);
            if (!car)
                break;
            assign(*car, model);
        }
    }
    for (const bool beyond_wanted : {false, true}) {
        for (const CarIndex car : idle_) {
            if (model_of_[car] != no_model)
                continue;
            if (const auto model = neediest(car, beyond_wanted))
                assign(car, *model);
        }
    }
}

bool Plan::may_give(ModelNumber giver, ModelNumber taker) const {
    if (giver == taker || held_[giver] <= targets_.minimum[giver])
        return false;
    if (is_short(taker))
        return true;
    return held_[giver] > targets_.wanted[giver] &&
           load(giver, held_[giver] - 1) * (1.0 + placement_slack) <= load(taker, held_[taker]);
}

// Those short of their minimum first, the largest first; then those with the most demand per car.
std::vector<ModelNumber> Plan::takers() const {
    std::vector<ModelNumber> takers;
    for (const ModelNumber model : by_size_) {
        if (is_short(model))
            takers.push_back(model);
    }
    const auto urgent = static_cast<std::ptrdiff_t>(takers.size());
    for (const ModelNumber model : by_size_) {
        const bool wants = !is_short(model) && held_[model] < targets_.wanted[model];
        if (wants && models_[model].demand > 0.0)
            takers.push_back(model);
    }
    std::ranges::stable_sort(takers.begin() + urgent, takers.end(), std::greater{},
                             [&](ModelNumber model) { return load(model, held_[model]); });
    return takers;
}

// Looks for the shortest chain of models, each with a car that fits the one before, to a model that
// has a car to spare; and moves the last car of the chain. The others follow when it serves: its
// new model has one more than it needs then.
bool Plan::serve(ModelNumber taker) {
    std::vector<bool> seen(models_.size(), false);
    std::vector<ModelNumber> queue{taker};
    seen[taker] = true;
    for (std::size_t i = 0; i < queue.size(); ++i) {
        const ModelNumber wants = queue[i];
        std::optional<ModelNumber> best;
        // Rather one with more than it ought to have, then the one that will miss it least.
        const auto loss = [&](ModelNumber giver) {
            return std::tuple(held_[giver] <= targets_.wanted[giver],
                              load(giver, held_[giver] - 1));
        };
        for (ModelNumber giver = 0; giver < models_.size(); ++giver) {
            if (seen[giver] || !has_car_for(giver, wants))
                continue;
            seen[giver] = true;
            queue.push_back(giver);
            if (may_give(giver, taker) && (!best || loss(giver) < loss(*best)))
                best = giver;
        }
        if (!best)
            continue;
        // Its other cars must serve before this one stops.
        if (serving_[*best] <= targets_.minimum[*best])
            return false;
        assign(*cheapest(*best, wants), wants);
        return true;
    }
    return false;
}

void Plan::move_cars() {
    const auto moving_max = std::max<std::size_t>(
        1, static_cast<std::size_t>(static_cast<double>(cars_.size()) * placement_moves_share_max));
    for (bool moved = true; moved && moving_ < moving_max;) {
        moved = false;
        for (const ModelNumber taker : takers()) {
            if (serve(taker)) {
                moved = true;
                break;
            }
        }
    }
}

std::vector<PlacementChange> Plan::changes() const {
    std::vector<PlacementChange> changes;
    for (CarIndex i = 0; i < cars_.size(); ++i) {
        const auto model = model_of_[i] == no_model ? std::nullopt : std::optional(model_of_[i]);
        if (model != cars_[i].model && !cars_[i].fixed)
            changes.push_back({i, model});
    }
    return changes;
}

}  // namespace

std::vector<PlacementChange> place(std::span<const CarToPlace> cars,
                                   std::span<const ModelToPlace> models) {
    Plan plan(cars, models);
    plan.use_idle_cars();
    plan.move_cars();
    return plan.changes();
}

void DemandTrace::see(double demand, base::Instant now) {
    if (!seen_at_) {
        value_ = demand;
    } else {
        const double passed = std::max(0.0, (now - *seen_at_).seconds());
        value_ += (demand - value_) * -std::expm1(-passed / demand_memory.seconds());
    }
    seen_at_ = now;
}

}  // namespace idlewatt::scheduler
