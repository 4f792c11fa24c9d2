// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// For each key an order over the cars that stays the same as cars come and go: rendezvous hashing
// (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998) without a
// weight per car and key.
//
// A plain rendezvous compares hash(key, car) for every car, which a million cars forbid. Here a car
// is one point on a ring of 2^64 and a key is probes_per_key points; the weight of a car for a key
// is the shortest way from one of those points clockwise to the car. It depends on this car and
// this key alone, so whatever rendezvous hashing promises holds:
//   a car that leaves moves only the keys whose first it was, each to the second in its order;
//   a car that comes takes keys only for itself, about 1/n of them.
// And the first cars of an order are found by walking on from a few points, O(1) for each. This is
// the "multi-probe consistent hashing" of Appleton and O'Reilly (2015, arXiv 1505.00062), read as a
// rendezvous. With p probes no car is first for more than about 1 + 1/(p-1) of the mean.
//
// A value. Memory: about 60 bytes a car. Adding and removing are O(1) but for growing, which
// rebuilds the buckets whenever the number of cars has grown or shrunk fourfold.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace idlewatt::scheduler {

// 1/15 above the mean at worst: the bound on load cuts off far more than that.
inline constexpr std::size_t probes_per_key = 16;

class AffinityRing {
public:
    struct Point {
        std::uint64_t at = 0;
        std::uint32_t car = 0;
        friend auto operator<=>(const Point&, const Point&) = default;
    };

    // identity: stable_hash of what names the car everywhere. A pair is added once.
    void add(std::uint64_t identity, std::uint32_t car);
    // The pair must be there.
    void remove(std::uint64_t identity, std::uint32_t car);
    [[nodiscard]] std::size_t size() const { return size_; }

    // The cars in the order of one key, each once, nearest first. The ring must not change
    // meanwhile, and must outlive the walk.
    class Walk {
    public:
        Walk(const AffinityRing& ring, std::uint64_t key);
        // nullopt: all cars have been named.
        [[nodiscard]] std::optional<std::uint32_t> next();

    private:
        struct Probe {
            std::uint64_t from = 0;
            std::size_t bucket = 0;
            std::size_t index = 0;
            std::uint64_t way = 0;  // from `from` to the point that is next
            std::size_t passed = 0;
        };
        void find(Probe& probe) const;
        void skip_empty(Probe& probe) const;

        const AffinityRing& ring_;
        std::array<Probe, probes_per_key> probes_;
        std::vector<std::uint32_t> named_;
    };

private:
    friend class Walk;
    [[nodiscard]] std::size_t bucket_of(std::uint64_t at) const;
    void rebuild(int bits);

    // The ring in 2^bits_ equal arcs, each in order; the points are hashes and so spread evenly.
    std::vector<std::vector<Point>> buckets_{1};
    int bits_ = 0;
    std::size_t size_ = 0;
};

}  // namespace idlewatt::scheduler
