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
// In memory the ring is one array in the order of the points, with gaps: each stands where its
// value says, or as little behind it as the order allows (linear probing with a hash that keeps the
// order; Amble and Knuth, "Ordered hash tables", 1974). A gap repeats what stands behind it, so the
// array is sorted and where a probe falls it finds its car, or one or two slots on: one visit to
// main memory and hardly a branch, and all of a key's visits are under way at once. What is visited
// holds the upper halves of the points and the cars; where those do not decide, the whole points
// do.
//
// A value. Memory: 21 to 43 bytes a car. Adding and removing are O(1) but for growing, which
// rebuilds the array whenever the number of cars has doubled or shrunk fourfold.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/huge_pages.hpp"

namespace idlewatt::scheduler {

// 1/15 above the mean at worst: the bound on load cuts off far more than that.
inline constexpr std::size_t probes_per_key = 16;

class AffinityRing {
public:
    // identity: stable_hash of what names the car everywhere. A pair is added once.
    void add(std::uint64_t identity, std::uint32_t car);
    // The pair must be there.
    void remove(std::uint64_t identity, std::uint32_t car);
    // The pair must be there; from now on this identity goes with another number.
    void renumber(std::uint64_t identity, std::uint32_t car, std::uint32_t to);
    [[nodiscard]] std::size_t size() const { return size_; }

    // The cars in the order of one key, each once, nearest first. The ring must not change
    // meanwhile, and must outlive the walk.
    class Walk {
    public:
        Walk(const AffinityRing& ring, std::uint64_t key);
        Walk(const Walk&) = delete;
        Walk& operator=(const Walk&) = delete;
        // nullopt: all cars have been named.
        [[nodiscard]] std::optional<std::uint32_t> next();

    private:
        void find(std::size_t probe);
        void advance(std::size_t probe);
        void look(std::size_t probe);
        [[nodiscard]] std::size_t nearest() const;
        [[nodiscard]] std::uint64_t way(std::size_t probe) const;
        // False: it has been already.
        bool name(std::uint32_t car);

        const AffinityRing& ring_;
        std::array<std::uint64_t, probes_per_key> from_;
        std::array<std::size_t, probes_per_key> slot_;  // of the point that is next
        // The upper half of the way to it, or a little more.
        std::array<std::uint32_t, probes_per_key> coarse_way_;
        std::size_t last_ = probes_per_key;  // whose car was looked at last
        // Mostly one is asked for: the first ones need no memory of their own.
        std::array<std::uint32_t, 8> named_first_;
        std::size_t named_ = 0;
        std::vector<std::uint32_t> named_later_;
    };

private:
    friend class Walk;
    // Where a point belongs. bits_ is not 0.
    [[nodiscard]] std::size_t home(std::uint64_t point) const { return point >> (64 - bits_); }
    // Of a point that is there.
    [[nodiscard]] std::size_t find(std::uint64_t point, std::uint32_t car) const;
    // Does it only repeat what stands behind it?
    [[nodiscard]] bool is_gap(std::size_t slot) const;
    void set(std::size_t slot, std::uint64_t point, std::uint32_t car);
    void make_gap(std::size_t slot);
    // The gaps before this slot are to repeat what is there now.
    void repeat(std::size_t slot);
    void insert(std::uint64_t point, std::uint32_t car);
    void rebuild(int bits);

    struct Slot {
        std::uint32_t head;  // the upper half of its point, and whether it is a gap
        std::uint32_t car;
    };
    template <class T>
    using Array = std::vector<T, base::HugePages<T>>;
    // 2^bits_ slots, and some for those that the last ones push over the end. What is behind the
    // last point counts as a gap.
    Array<Slot> slots_;
    Array<std::uint64_t> points_;
    int bits_ = 0;
    std::size_t size_ = 0;
};

}  // namespace idlewatt::scheduler
