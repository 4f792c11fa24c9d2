// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/latency_sketch.hpp"

#include <algorithm>
#include <cmath>

namespace idlewatt::scheduler {

namespace {

// Far from where doubles lose the small counts or overflow.
constexpr double weight_max = 1e100;

// Bucket i holds what is above the edge of i - 1 and at most its own, sketch_min × sketch_step^i.
std::size_t bucket_of(base::Duration sample) {
    if (sample <= sketch_min)
        return 0;
    const double steps = std::log(sample.seconds() / sketch_min.seconds()) / std::log(sketch_step);
    return static_cast<std::size_t>(
        std::clamp(std::ceil(steps), 0.0, static_cast<double>(sketch_buckets - 1)));
}

}  // namespace

void LatencySketch::add(base::Duration sample) {
    counts_[bucket_of(sample)] += next_weight_;
    sum_ += next_weight_;
    next_weight_ *= std::exp2(1.0 / sketch_half_life_samples);
    if (next_weight_ < weight_max)
        return;
    for (double& count : counts_)
        count /= next_weight_;
    sum_ /= next_weight_;
    next_weight_ = 1.0;
}

std::optional<base::Duration> LatencySketch::quantile(double q) const {
    if (sum_ <= 0.0)
        return std::nullopt;
    double below = 0.0;
    std::size_t bucket = 0;
    std::size_t last = 0;
    // Rounding must not carry a search for all samples beyond the last that has any.
    for (; bucket < sketch_buckets && below < q * sum_; ++bucket) {
        below += counts_[bucket];
        if (counts_[bucket] > 0.0)
            last = bucket;
    }
    return base::from_seconds(sketch_min.seconds() *
                              std::pow(sketch_step, static_cast<double>(last)));
}

double LatencySketch::weight() const {
    return sum_ / next_weight_;
}

}  // namespace idlewatt::scheduler
