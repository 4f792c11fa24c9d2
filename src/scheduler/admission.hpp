// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Whether a new request may wait for a slot, or is told at once to come back later: a client that
// knows early can go elsewhere, one that waits for nothing cannot. Values; one ServiceTime for each
// model.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/time.hpp"

namespace idlewatt::scheduler {

// How long an answer holds its slot, lately: a mean that fades. Slots over this time is the rate at
// which a busy fleet frees slots. Counting endings instead would call an idle fleet slow.
class ServiceTime {
public:
    void ended(base::Duration held);
    [[nodiscard]] base::Duration mean() const;

private:
    double mean_s_ = 0.0;  // meaningful once samples_ > 0
    std::uint32_t samples_ = 0;
};
// Until an answer has ended.
inline constexpr base::Duration service_time_assumed = base::seconds(10);
inline constexpr double service_time_fade = 1.0 / 64.0;

// One model's queue as a gateway sees it.
struct Crowd {
    std::uint64_t waiting = 0;      // requests that wait here for a slot
    std::uint64_t slots_total = 0;  // of all cars that could serve it, the full ones too
    std::uint64_t slots_free = 0;
    base::Duration service_time = service_time_assumed;
    // How long no car has been able to serve it, counted from this gateway's start at the earliest,
    // and from when the car that is expected began to load; meaningful while slots_total is 0.
    base::Duration nobody_for{};
    // Some car says that it is about to be able to: it loads its model. Meaningful likewise.
    bool car_expected = false;
};

enum class Admission {
    now,      // a slot is free
    waits,    // all are busy, but the wait is bearable
    crowded,  // refused: the wait would be too long, or too many wait
    nobody,   // refused: no car could serve it
};
[[nodiscard]] std::string_view name(Admission admission);

struct AdmissionAnswer {
    Admission admission = Admission::now;
    base::Duration expected_wait{};
    std::uint32_t retry_after_s = 0;  // of a refusal, at least 1; for the header Retry-After
    [[nodiscard]] bool refused() const { return admission >= Admission::crowded; }
};

struct AdmissionLimits {
    base::Duration wait_max = base::seconds(30);
    std::uint64_t waiting_max = 64;
};
// A car that restarts or a gateway that has just begun to listen is given this long, one that loads
// its model somewhat longer.
inline constexpr base::Duration nobody_tolerated = base::seconds(5);
inline constexpr base::Duration loading_tolerated = base::seconds(10);
inline constexpr std::uint32_t retry_after_nobody_s = 10;
inline constexpr std::uint32_t retry_after_max_s = 60;

// Never refuses while a slot is free.
[[nodiscard]] AdmissionAnswer admit(const Crowd& crowd, const AdmissionLimits& limits = {});

}  // namespace idlewatt::scheduler
