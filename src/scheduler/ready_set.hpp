// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The cars that could take an answer for one model right now, as one gateway sees them.
// A value: no clock, no I/O. Every operation is O(1) but for choosing among mostly excluded cars.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/prng.hpp"

namespace idlewatt::scheduler {

// A car as its owner (the gateway's fleet view) numbers it.
using CarNumber = std::uint32_t;

struct CarLoad {
    std::uint32_t slots_total = 1;
    std::uint32_t slots_free = 1;
    double tokens_per_second = 0.0;  // 0: unknown
};

// True if a is the better place for one more answer: relatively emptier, then faster.
[[nodiscard]] bool less_loaded(const CarLoad& a, const CarLoad& b);

class ReadySet {
public:
    // Adds or updates. A car without a free slot is taken out.
    void put(CarNumber car, const CarLoad& load);
    void remove(CarNumber car);

    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    [[nodiscard]] bool contains(CarNumber car) const { return places_.contains(car); }

    // Two draws, the better one. Cars in excluded are passed over; nullopt: nobody else is ready.
    [[nodiscard]] std::optional<CarNumber> choose(base::Prng& prng,
                                                  std::span<const CarNumber> excluded) const;

private:
    struct Entry {
        CarNumber car;
        CarLoad load;
    };

    [[nodiscard]] const Entry* draw(base::Prng& prng, std::span<const CarNumber> excluded) const;

    std::vector<Entry> entries_;
    std::unordered_map<CarNumber, std::size_t> places_;
};

}  // namespace idlewatt::scheduler
