// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What affinity is for: a small model of conversations whose turns find their former turns in the
// cache of a car's engine, or not. Not a claim about an engine's speed; the share of prompt tokens
// that need not be computed again.
#include <algorithm>
#include <deque>
#include <iostream>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "scheduler/ready_set.hpp"
#include "scheduler/stable_hash.hpp"

namespace idlewatt::scheduler {
namespace {

constexpr std::uint32_t slots = 4;

// Like llama-server: a slot keeps the tokens of the last answer that it gave, and with a cache for
// prompts in main memory some more are kept.
struct ModelCar {
    std::uint32_t busy = 0;
    std::deque<std::pair<int, int>> cached;  // conversation, tokens; the oldest first
    bool there = true;

    int take(int conversation) {
        const auto found = std::ranges::find(cached, conversation, &std::pair<int, int>::first);
        if (found == cached.end())
            return 0;
        const int tokens = found->second;
        cached.erase(found);
        return tokens;
    }
    void keep(int conversation, int tokens, std::size_t kept_max) {
        take(conversation);
        if (cached.size() == kept_max)
            cached.pop_front();
        cached.emplace_back(conversation, tokens);
    }
};

struct Figures {
    double cached_share = 0.0;
    double fullest = 0.0;  // mean over all questions of the chosen car's busy slots
};

struct World {
    int conversations = 0;
    double leaves_per_turn = 0.0;  // the chance that a car leaves, and the last one comes back
    std::size_t kept_per_car = slots;
};

class Model {
public:
    Model(const World& world, bool with_affinity, std::uint64_t seed)
        : world_(world), with_affinity_(with_affinity), prng_(seed) {}

    Figures run(int turns) {
        for (CarNumber car = 0; car < cars_.size(); ++car)
            put(car);
        for (int c = 0; c < world_.conversations; ++c)
            asks_.push({prng_.unit() * 60.0, c, 0});
        while (done_ < turns)
            step();
        return {cached_tokens_ / prompt_tokens_, busy_seen_ / done_};
    }

private:
    struct Ask {
        double at;
        int conversation;
        CarNumber car;
        friend bool operator>(const Ask& a, const Ask& b) { return a.at > b.at; }
    };
    using Queue = std::priority_queue<Ask, std::vector<Ask>, std::greater<>>;

    void put(CarNumber car) {
        set_.put(
            car,
            {.slots_total = slots, .slots_free = slots - cars_[car].busy, .identity = mixed(car)});
    }

    void step() {
        if (!ends_.empty() && (asks_.empty() || ends_.top().at <= asks_.top().at)) {
            end();
        } else {
            ask();
        }
    }

    void end() {
        const Ask over = ends_.top();
        ends_.pop();
        ModelCar& car = cars_[over.car];
        --car.busy;
        car.keep(over.conversation, tokens_[over.conversation], world_.kept_per_car);
        if (car.there)
            put(over.car);
        // People read, think and write; some are done and others begin.
        if (prng_.chance(0.1)) {
            tokens_.erase(over.conversation);
            asks_.push({over.at + prng_.unit() * 60.0, next_conversation_++, 0});
        } else {
            asks_.push({over.at + 10.0 + prng_.unit() * 40.0, over.conversation, 0});
        }
    }

    void ask() {
        Ask asks = asks_.top();
        asks_.pop();
        if (prng_.chance(world_.leaves_per_turn))
            churn();
        Wish wish;
        if (with_affinity_)
            wish.affinity = mixed(static_cast<std::uint64_t>(asks.conversation));
        const auto choice = set_.choose(wish, prng_);
        if (!choice) {
            asks_.push({asks.at + 1.0, asks.conversation, 0});
            return;
        }
        ModelCar& car = cars_[choice->car];
        int& known = tokens_[asks.conversation];
        const int prompt = known + 200;
        cached_tokens_ += car.take(asks.conversation);
        prompt_tokens_ += prompt;
        known = prompt + 300;
        busy_seen_ += car.busy++;
        put(choice->car);
        ends_.push({asks.at + 5.0 + prng_.unit() * 20.0, asks.conversation, choice->car});
        ++done_;
    }

    // One leaves with all it has in its cache; the one that left before it comes back with nothing.
    void churn() {
        const auto leaves = static_cast<CarNumber>(prng_.below(cars_.size()));
        if (away_) {
            cars_[*away_].there = true;
            cars_[*away_].cached.clear();
            put(*away_);
        }
        cars_[leaves].there = false;
        cars_[leaves].cached.clear();
        set_.remove(leaves);
        away_ = leaves;
    }

    World world_;
    bool with_affinity_;
    base::Prng prng_;
    std::vector<ModelCar> cars_{64};
    std::optional<CarNumber> away_;
    ReadySet set_;
    Queue asks_;
    Queue ends_;
    std::map<int, int> tokens_;
    int next_conversation_ = 1'000'000;
    int done_ = 0;
    double cached_tokens_ = 0.0;
    double prompt_tokens_ = 0.0;
    double busy_seen_ = 0.0;
};

TEST(AffinityGain, TurnsFindTheirFormerTurnsInTheCache) {
    // Of 64 cars with 4 slots each.
    const std::map<std::string, World> worlds{
        {"100 conversations", {.conversations = 100}},
        {"250 conversations", {.conversations = 250}},
        {"250, cars come and go", {.conversations = 250, .leaves_per_turn = 0.01}},
        {"250, 16 kept per car", {.conversations = 250, .kept_per_car = 16}},
        {"500 conversations", {.conversations = 500}},
        {"500, 16 kept per car", {.conversations = 500, .kept_per_car = 16}},
    };
    for (const auto& [name, world] : worlds) {
        const Figures with = Model(world, true, 1).run(40'000);
        const Figures without = Model(world, false, 1).run(40'000);
        std::cout << name << ": prompt tokens found in the cache " << with.cached_share * 100
                  << " % with affinity, " << without.cached_share * 100
                  << " % by load alone; busy slots met " << with.fullest << ", " << without.fullest
                  << '\n';
        EXPECT_GT(with.cached_share, 3 * without.cached_share) << name;
        EXPECT_LT(with.fullest, without.fullest + 1.0) << name;
    }
    EXPECT_GT(Model(worlds.at("100 conversations"), true, 2).run(20'000).cached_share, 0.6);
}

}  // namespace
}  // namespace idlewatt::scheduler
