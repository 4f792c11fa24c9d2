// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// When an answer whose first token is late gets a second attempt on another car; the first of both
// to speak goes on, the other is cancelled. After Dean and Barroso, "The Tail at Scale" (CACM
// 2013): a second request only after the time that most need, so that it costs a few per cent.
//
// Late is judged among questions of about the same size, because a long prompt takes long on any
// car. The extra work is bounded whatever happens: each request that starts adds hedge_share to a
// bucket, each second attempt takes one from it, and when the whole fleet is slow the bucket runs
// dry instead of doubling the load.
//
// A value; one for each model.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "scheduler/latency_sketch.hpp"

namespace idlewatt::scheduler {

inline constexpr double hedge_share = 0.05;
// Second attempts that may be saved up.
inline constexpr double hedge_burst = 8.0;
inline constexpr double hedge_quantile = 0.95;
// However fast the others are, nobody is late before this.
inline constexpr base::Duration hedge_floor = base::milliseconds(500);
// Before so many first tokens have been seen nobody is late.
inline constexpr double hedge_samples_min = 40.0;
// Requests of 0-1, 1-4, 4-16 … KiB, the last one open.
inline constexpr std::size_t prompt_classes = 8;

class Hedge {
public:
    // An answer's very first attempt was sent.
    void request_started();
    // From sending the attempt to its first token; of first attempts only, and of those that were
    // given up for a second one the time until then, else the late ones would never be seen.
    void first_token(std::size_t request_bytes, base::Duration waited);

    // How long an answer of this size waits for its first token before it is late.
    // nullopt: too little is known.
    [[nodiscard]] std::optional<base::Duration> late_after(std::size_t request_bytes) const;
    // True: start a second attempt now; it has been taken from the budget.
    [[nodiscard]] bool take(std::size_t request_bytes, base::Duration waited);
    // take() said yes, but no other car was ready.
    void give_back();

    [[nodiscard]] double budget() const { return budget_; }

private:
    std::array<LatencySketch, prompt_classes> sketches_;
    double budget_ = 0.0;
};

}  // namespace idlewatt::scheduler
