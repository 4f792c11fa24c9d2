// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Where each car of a list stands: from its number to its place. One array with open addressing
// (linear probing, deletion by shifting back; Knuth, TAOCP 3, 6.4), so that looking up one of a
// million cars meets main memory once. A value. Memory: 11 to 21 bytes a car.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/assert.hpp"
#include "base/huge_pages.hpp"

namespace idlewatt::scheduler {

// As their owner (the gateway's fleet view) numbers them.
using CarNumber = std::uint32_t;

class CarPlaces {
public:
    [[nodiscard]] std::optional<std::uint32_t> find(CarNumber car) const {
        const Slot& slot = slots_[slot_of(car)];
        return slot.place == nowhere ? std::nullopt : std::optional(slot.place);
    }
    // Adds the car or moves it.
    void set(CarNumber car, std::uint32_t place) {
        IDLEWATT_ASSERT(place != nowhere);
        Slot& slot = slots_[slot_of(car)];
        const bool added = slot.place == nowhere;
        slot = {car, place};
        if (added && ++size_ * 4 > slots_.size() * 3)
            grow();
    }
    // The car must be there.
    void erase(CarNumber car) {
        std::size_t hole = slot_of(car);
        IDLEWATT_ASSERT(slots_[hole].place != nowhere);
        --size_;
        for (std::size_t at = next(hole); slots_[at].place != nowhere; at = next(at)) {
            // May it stand in the hole? Yes unless its way from home begins behind the hole.
            const std::size_t way = (at - home(slots_[at].car)) & (slots_.size() - 1);
            if (way >= ((at - hole) & (slots_.size() - 1))) {
                slots_[hole] = slots_[at];
                hole = at;
            }
        }
        slots_[hole].place = nowhere;
    }
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    static constexpr std::uint32_t nowhere = UINT32_MAX;
    static constexpr int bits_at_first = 3;
    struct Slot {
        CarNumber car = 0;
        std::uint32_t place = nowhere;
    };
    using Slots = std::vector<Slot, base::HugePages<Slot>>;

    // Fibonacci hashing spreads numbers in a row evenly (Knuth, ibid.).
    [[nodiscard]] std::size_t home(CarNumber car) const {
        return (car * 0x9e3779b97f4a7c15ULL) >> (64 - bits_);
    }
    [[nodiscard]] std::size_t next(std::size_t slot) const {
        return (slot + 1) & (slots_.size() - 1);
    }
    // The car's, or the free one where it would go.
    [[nodiscard]] std::size_t slot_of(CarNumber car) const {
        std::size_t slot = home(car);
        while (slots_[slot].place != nowhere && slots_[slot].car != car)
            slot = next(slot);
        return slot;
    }
    void grow() {
        const Slots former = std::move(slots_);
        ++bits_;
        slots_.assign(std::size_t{1} << bits_, Slot{});
        for (const Slot& slot : former) {
            if (slot.place != nowhere)
                slots_[slot_of(slot.car)] = slot;
        }
    }

    int bits_ = bits_at_first;
    Slots slots_ = Slots(std::size_t{1} << bits_at_first);
    std::size_t size_ = 0;
};

}  // namespace idlewatt::scheduler
