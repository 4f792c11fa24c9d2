// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/affinity_ring.hpp"

#include <algorithm>
#include <bit>

#include "base/assert.hpp"
#include "scheduler/stable_hash.hpp"

namespace idlewatt::scheduler {

namespace {

constexpr std::size_t points_per_bucket_max = 4;
constexpr int bits_per_step = 2;

}  // namespace

std::size_t AffinityRing::bucket_of(std::uint64_t at) const {
    return bits_ == 0 ? 0 : static_cast<std::size_t>(at >> (64 - bits_));
}

void AffinityRing::rebuild(int bits) {
    std::vector<std::vector<Point>> former(std::size_t{1} << bits);
    former.swap(buckets_);
    bits_ = bits;
    // From bucket to bucket the points are in order already.
    for (const std::vector<Point>& bucket : former) {
        for (const Point& point : bucket)
            buckets_[bucket_of(point.at)].push_back(point);
    }
}

void AffinityRing::add(std::uint64_t identity, std::uint32_t car) {
    if (size_ >= points_per_bucket_max << bits_)
        rebuild(bits_ + bits_per_step);
    const Point point{identity, car};
    std::vector<Point>& bucket = buckets_[bucket_of(identity)];
    const auto place = std::ranges::lower_bound(bucket, point);
    IDLEWATT_ASSERT(place == bucket.end() || *place != point);
    bucket.insert(place, point);
    ++size_;
}

void AffinityRing::remove(std::uint64_t identity, std::uint32_t car) {
    const Point point{identity, car};
    std::vector<Point>& bucket = buckets_[bucket_of(identity)];
    const auto place = std::ranges::lower_bound(bucket, point);
    IDLEWATT_ASSERT(place != bucket.end() && *place == point);
    bucket.erase(place);
    --size_;
    // Far below where it grew, so that a car that comes and goes does not rebuild again and again.
    if (bits_ > 0 && size_ < (points_per_bucket_max << (bits_ - bits_per_step)) / 4)
        rebuild(bits_ - bits_per_step);
}

AffinityRing::Walk::Walk(const AffinityRing& ring, std::uint64_t key) : ring_(ring), probes_{} {
    for (std::size_t i = 0; i < probes_.size(); ++i) {
        probes_[i].from = mixed(key + i * 0x9e3779b97f4a7c15ULL);
        find(probes_[i]);
    }
}

// The first point at or after where the probe stands.
void AffinityRing::Walk::find(Probe& probe) const {
    if (ring_.size() == 0)
        return;
    probe.bucket = ring_.bucket_of(probe.from);
    const std::vector<Point>& bucket = ring_.buckets_[probe.bucket];
    const auto place = std::ranges::lower_bound(bucket, Point{probe.from, 0});
    probe.index = static_cast<std::size_t>(place - bucket.begin());
    skip_empty(probe);
}

void AffinityRing::Walk::skip_empty(Probe& probe) const {
    while (probe.index >= ring_.buckets_[probe.bucket].size()) {
        probe.bucket = (probe.bucket + 1) % ring_.buckets_.size();
        probe.index = 0;
    }
    probe.way = ring_.buckets_[probe.bucket][probe.index].at - probe.from;
}

std::optional<std::uint32_t> AffinityRing::Walk::next() {
    while (true) {
        Probe* nearest = nullptr;
        for (Probe& probe : probes_) {
            if (probe.passed < ring_.size() && (nearest == nullptr || probe.way < nearest->way))
                nearest = &probe;
        }
        if (nearest == nullptr)
            return std::nullopt;
        const std::uint32_t car = ring_.buckets_[nearest->bucket][nearest->index].car;
        if (++nearest->passed < ring_.size()) {
            ++nearest->index;
            skip_empty(*nearest);
        }
        if (std::ranges::find(named_, car) == named_.end()) {
            named_.push_back(car);
            return car;
        }
    }
}

}  // namespace idlewatt::scheduler
