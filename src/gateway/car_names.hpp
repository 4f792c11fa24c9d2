// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// From a car's name to its number. The names themselves are with the cars: here is a table of parts
// of their hashes (open addressing, linear probing), so that a name is found with one visit to main
// memory besides the one to the car. Names are never taken out. A value. Memory: 11 to 21 bytes a
// car.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/huge_pages.hpp"
#include "scheduler/scheduler.hpp"

namespace idlewatt::gateway {

class CarNames {
public:
    // has_name(number): whether that car is of this name, which may share its hash with others.
    template <class HasName>
    [[nodiscard]] std::optional<scheduler::CarNumber> find(std::uint64_t hash,
                                                           HasName has_name) const {
        const std::uint32_t part = part_of(hash);
        for (std::size_t at = home(part); slots_[at].car != nobody; at = next(at)) {
            if (slots_[at].part == part && has_name(slots_[at].car))
                return slots_[at].car;
        }
        return std::nullopt;
    }
    // One that is not there.
    void add(std::uint64_t hash, scheduler::CarNumber car) {
        if (++size_ * 4 > slots_.size() * 3)
            grow();
        insert({part_of(hash), car});
    }

private:
    static constexpr scheduler::CarNumber nobody = UINT32_MAX;
    static constexpr int bits_at_first = 4;
    struct Slot {
        std::uint32_t part = 0;
        scheduler::CarNumber car = nobody;
    };
    using Slots = std::vector<Slot, base::HugePages<Slot>>;

    [[nodiscard]] static std::uint32_t part_of(std::uint64_t hash) {
        return static_cast<std::uint32_t>(hash >> 32);
    }
    [[nodiscard]] std::size_t home(std::uint32_t part) const { return part >> (32 - bits_); }
    [[nodiscard]] std::size_t next(std::size_t slot) const {
        return (slot + 1) & (slots_.size() - 1);
    }
    void insert(const Slot& slot) {
        std::size_t at = home(slot.part);
        while (slots_[at].car != nobody)
            at = next(at);
        slots_[at] = slot;
    }
    void grow() {
        const Slots former = std::move(slots_);
        ++bits_;
        slots_.assign(std::size_t{1} << bits_, Slot{});
        for (const Slot& slot : former) {
            if (slot.car != nobody)
                insert(slot);
        }
    }

    int bits_ = bits_at_first;
    Slots slots_ = Slots(std::size_t{1} << bits_at_first);
    std::size_t size_ = 0;
};

}  // namespace idlewatt::gateway
