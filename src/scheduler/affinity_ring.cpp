// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/affinity_ring.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "scheduler/stable_hash.hpp"

namespace idlewatt::scheduler {

namespace {

constexpr std::uint64_t no_point = UINT64_MAX;
constexpr std::uint32_t no_car = UINT32_MAX;
constexpr int bits_min = 3;
// So many are compared without a branch before it is asked whether more must be.
constexpr std::size_t compared = 4;
// At least so many slots behind the last point, so that one may look ahead of any slot.
constexpr std::size_t tail_slots = 8;
static_assert(compared < tail_slots);

// Of a slot's head the lowest bit says that it is a gap; the others are the point's.
constexpr std::uint32_t gap_bit = 1;
constexpr std::uint32_t no_head = UINT32_MAX;
// By so much two heads may differ and yet say nothing of the order.
constexpr std::uint32_t head_step = 2;

std::uint32_t head_of(std::uint64_t point) {
    return static_cast<std::uint32_t>(point >> 32) & ~gap_bit;
}

// Whoever shares a point costs nothing but a warm cache.
std::uint64_t ring_point(std::uint64_t identity) {
    return std::min(identity, no_point - 1);
}

// More than three quarters full: displaced points would be far from where they belong.
bool is_crowded(std::size_t points, int bits) {
    return points * 4 > std::size_t{3} << bits;
}

}  // namespace

bool AffinityRing::is_gap(std::size_t slot) const {
    return (slots_[slot].head & gap_bit) != 0;
}

// Between where it belongs and where it stands there is no gap.
std::size_t AffinityRing::find(std::uint64_t point, std::uint32_t car) const {
    std::size_t slot = home(point);
    while (points_[slot] != point || slots_[slot].car != car) {
        IDLEWATT_ASSERT(points_[slot] != no_point);
        ++slot;
    }
    return slot;
}

void AffinityRing::set(std::size_t slot, std::uint64_t point, std::uint32_t car) {
    points_[slot] = point;
    slots_[slot] = {head_of(point), car};
}

void AffinityRing::make_gap(std::size_t slot) {
    points_[slot] = points_[slot + 1];
    slots_[slot] = {slots_[slot + 1].head | gap_bit, slots_[slot + 1].car};
}

void AffinityRing::repeat(std::size_t slot) {
    while (slot > 0 && is_gap(slot - 1))
        make_gap(--slot);
}

void AffinityRing::insert(std::uint64_t point, std::uint32_t car) {
    std::size_t slot = home(point);
    while (points_[slot] <= point && !is_gap(slot))
        ++slot;
    const std::size_t first = slot;
    // Those behind it move on by one, up to the first gap.
    for (; !is_gap(slot); ++slot) {
        const std::uint64_t next_point = points_[slot];
        const std::uint32_t next_car = slots_[slot].car;
        set(slot, point, car);
        point = next_point;
        car = next_car;
    }
    set(slot, point, car);
    if (slot + tail_slots >= points_.size()) {
        points_.resize(slot + tail_slots + 1, no_point);
        slots_.resize(points_.size(), {no_head, no_car});
    }
    repeat(first);
}

void AffinityRing::rebuild(int bits) {
    const Array<std::uint64_t> points = std::move(points_);
    const Array<Slot> slots = std::move(slots_);
    bits_ = bits;
    points_.assign((std::size_t{1} << bits) + tail_slots, no_point);
    slots_.assign(points_.size(), {no_head, no_car});
    for (std::size_t slot = 0; slot < points.size(); ++slot) {
        if ((slots[slot].head & gap_bit) == 0)
            insert(points[slot], slots[slot].car);
    }
}

void AffinityRing::add(std::uint64_t identity, std::uint32_t car) {
    IDLEWATT_ASSERT(car != no_car);
    ++size_;
    if (bits_ == 0 || is_crowded(size_, bits_))
        rebuild(std::max(bits_ + 1, bits_min));
    insert(ring_point(identity), car);
}

void AffinityRing::remove(std::uint64_t identity, std::uint32_t car) {
    IDLEWATT_ASSERT(size_ > 0);
    const std::size_t first = find(ring_point(identity), car);
    std::size_t slot = first;
    // Those behind it come back by one, down to the first that stands where it belongs.
    for (; !is_gap(slot + 1) && home(points_[slot + 1]) <= slot; ++slot)
        set(slot, points_[slot + 1], slots_[slot + 1].car);
    make_gap(slot);
    repeat(first);
    --size_;
    // Far below where it grew, so that a car that comes and goes does not rebuild again and again.
    if (bits_ > bits_min && !is_crowded(size_ * 4, bits_))
        rebuild(bits_ - 1);
}

void AffinityRing::renumber(std::uint64_t identity, std::uint32_t car, std::uint32_t to) {
    IDLEWATT_ASSERT(size_ > 0 && to != no_car);
    const std::size_t slot = find(ring_point(identity), car);
    slots_[slot].car = to;
    repeat(slot);
}

AffinityRing::Walk::Walk(const AffinityRing& ring, std::uint64_t key) : ring_(ring) {
    if (ring_.size() == 0)
        return;
    const Slot* const slots = ring_.slots_.data();
    for (std::size_t i = 0; i < probes_per_key; ++i) {
        from_[i] = mixed(key + i * 0x9e3779b97f4a7c15ULL);
        slot_[i] = ring_.home(from_[i]);
        __builtin_prefetch(slots + slot_[i]);
        __builtin_prefetch(slots + slot_[i] + compared - 1);
    }
    for (std::size_t i = 0; i < probes_per_key; ++i)
        find(i);
}

// The first point at or after where the probe fell. What stands before its own slot is before it.
void AffinityRing::Walk::find(std::size_t probe) {
    const std::uint32_t from = head_of(from_[probe]);
    const Slot* const own = ring_.slots_.data() + slot_[probe];
    static_assert(compared == 4);
    auto before = static_cast<std::size_t>(own[0].head < from) +
                  static_cast<std::size_t>(own[1].head < from) +
                  static_cast<std::size_t>(own[2].head < from) +
                  static_cast<std::size_t>(own[3].head < from);
    if (before == compared) [[unlikely]] {
        while (own[before].head < from)
            ++before;
    }
    slot_[probe] += before;
    if ((own[before].head & ~gap_bit) == from) [[unlikely]] {
        while (ring_.points_[slot_[probe]] < from_[probe])
            ++slot_[probe];
    }
    look(probe);
}

// Where the heads do not decide, the whole points do.
void AffinityRing::Walk::look(std::size_t probe) {
    const std::uint32_t from = head_of(from_[probe]);
    const std::uint32_t head = ring_.slots_[slot_[probe]].head;
    coarse_way_[probe] = (head & ~gap_bit) - from;
    if (coarse_way_[probe] != 0 && head != no_head) [[likely]]
        return;
    std::size_t& slot = slot_[probe];
    if (ring_.points_[slot] == no_point)
        slot = 0;
    coarse_way_[probe] = head_of(way(probe));
}

std::uint64_t AffinityRing::Walk::way(std::size_t probe) const {
    return ring_.points_[slot_[probe]] - from_[probe];
}

void AffinityRing::Walk::advance(std::size_t probe) {
    while (ring_.is_gap(slot_[probe]))
        ++slot_[probe];
    ++slot_[probe];
    look(probe);
}

std::size_t AffinityRing::Walk::nearest() const {
    std::uint32_t least = coarse_way_[0];
    for (std::size_t i = 1; i < probes_per_key; ++i)
        least = std::min(least, coarse_way_[i]);
    std::size_t found = 0;
    std::size_t near = 0;
    for (std::size_t i = 0; i < probes_per_key; ++i) {
        const bool is_near = coarse_way_[i] - least <= head_step;
        found = is_near ? i : found;
        near += is_near ? 1 : 0;
    }
    if (near > 1) [[unlikely]] {
        for (std::size_t i = 0; i < probes_per_key; ++i) {
            if (coarse_way_[i] - least <= head_step && way(i) < way(found))
                found = i;
        }
    }
    return found;
}

// A probe that has come round has named all of them.
std::optional<std::uint32_t> AffinityRing::Walk::next() {
    if (named_ == ring_.size())
        return std::nullopt;
    while (true) {
        if (last_ != probes_per_key)
            advance(last_);
        last_ = nearest();
        const std::uint32_t car = ring_.slots_[slot_[last_]].car;
        if (name(car))
            return car;
    }
}

bool AffinityRing::Walk::name(std::uint32_t car) {
    const std::size_t first = std::min(named_, named_first_.size());
    const auto first_end = named_first_.begin() + static_cast<std::ptrdiff_t>(first);
    if (std::find(named_first_.begin(), first_end, car) != first_end ||
        std::ranges::find(named_later_, car) != named_later_.end())
        return false;
    if (named_ < named_first_.size()) {
        named_first_[named_] = car;
    } else {
        named_later_.push_back(car);
    }
    ++named_;
    return true;
}

}  // namespace idlewatt::scheduler
