// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/hedge.hpp"

#include <algorithm>
#include <bit>

namespace idlewatt::scheduler {

namespace {

// Twenty times a twentieth is not quite one.
constexpr double budget_rounding = 1e-9;

std::size_t class_of(std::size_t request_bytes) {
    const auto bits = static_cast<std::size_t>(std::bit_width(request_bytes >> 10));
    return std::min((bits + 1) / 2, prompt_classes - 1);
}

}  // namespace

void Hedge::request_started() {
    budget_ = std::min(hedge_burst, budget_ + hedge_share);
}

void Hedge::first_token(std::size_t request_bytes, base::Duration waited) {
    sketches_[class_of(request_bytes)].add(waited);
}

std::optional<base::Duration> Hedge::late_after(std::size_t request_bytes) const {
    const LatencySketch& sketch = sketches_[class_of(request_bytes)];
    if (sketch.weight() < hedge_samples_min)
        return std::nullopt;
    return std::max(hedge_floor, *sketch.quantile(hedge_quantile));
}

bool Hedge::take(std::size_t request_bytes, base::Duration waited) {
    const auto late = late_after(request_bytes);
    if (!late || waited <= *late || budget_ < 1.0 - budget_rounding)
        return false;
    budget_ -= 1.0;
    return true;
}

void Hedge::give_back() {
    budget_ = std::min(hedge_burst, budget_ + 1.0);
}

}  // namespace idlewatt::scheduler
