// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Running quantiles of durations that follow a changing world: a histogram with buckets in
// geometric steps, as in DDSketch (Masson, Rim, Lee, VLDB 2019), whose answer is off by a fixed
// share at most; old samples fade by halves (exponential forward decay: Cormode, Shkapenyuk,
// Srivastava, Xu, ICDE 2009). A value of fixed size.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "base/time.hpp"

namespace idlewatt::scheduler {

// 1 ms × 1.1^144 ≈ 15 minutes; what is outside counts as the nearest bucket.
inline constexpr double sketch_step = 1.1;
inline constexpr std::size_t sketch_buckets = 145;
inline constexpr base::Duration sketch_min = base::milliseconds(1);
// A sample weighs half as much after so many later ones.
inline constexpr double sketch_half_life_samples = 500.0;

class LatencySketch {
public:
    void add(base::Duration sample);
    // The smallest bucket's upper edge below which lies a share q of the samples; 0 < q <= 1.
    // nullopt: no sample yet.
    [[nodiscard]] std::optional<base::Duration> quantile(double q) const;
    // Samples, the faded ones at what they still weigh.
    [[nodiscard]] double weight() const;

private:
    // Instead of fading all buckets at each sample, later samples weigh more.
    std::array<double, sketch_buckets> counts_{};
    double next_weight_ = 1.0;
    double sum_ = 0.0;
};

}  // namespace idlewatt::scheduler
