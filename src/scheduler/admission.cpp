// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "scheduler/admission.hpp"

#include <algorithm>
#include <cmath>

namespace idlewatt::scheduler {

namespace {

constexpr double rounding_s = 1e-6;

}  // namespace

void ServiceTime::ended(base::Duration held) {
    ++samples_;
    // The first ones count alike, so that what was assumed leaves no trace.
    const double share = std::max(service_time_fade, 1.0 / samples_);
    mean_s_ += share * (held.seconds() - mean_s_);
    if (share == service_time_fade)
        --samples_;
}

base::Duration ServiceTime::mean() const {
    return samples_ == 0 ? service_time_assumed : base::from_seconds(mean_s_);
}

std::string_view name(Admission admission) {
    switch (admission) {
        case Admission::now:
            return "now";
        case Admission::waits:
            return "waits";
        case Admission::crowded:
            return "crowded";
        case Admission::nobody:
            return "nobody";
    }
    return "unknown";
}

AdmissionAnswer admit(const Crowd& crowd, const AdmissionLimits& limits) {
    if (crowd.slots_free > 0)
        return {};
    const bool queue_full = crowd.waiting >= limits.waiting_max;
    if (crowd.slots_total == 0) {
        if (crowd.nobody_for > (crowd.car_expected ? loading_tolerated : nobody_tolerated))
            return {Admission::nobody, {}, retry_after_nobody_s};
        if (queue_full)
            return {Admission::crowded, {}, retry_after_nobody_s};
        return {Admission::waits, {}, 0};
    }
    const double slot_s = crowd.service_time.seconds() / static_cast<double>(crowd.slots_total);
    const double wait_s = slot_s * static_cast<double>(crowd.waiting + 1);
    const base::Duration wait = base::from_seconds(wait_s);
    if (wait <= limits.wait_max && !queue_full)
        return {Admission::waits, wait, 0};
    // Until the wait would be bearable, and a place in the queue free.
    const double too_long_s = wait_s - limits.wait_max.seconds();
    const double too_many_s =
        queue_full ? slot_s * static_cast<double>(crowd.waiting - limits.waiting_max + 1) : 0.0;
    const double retry_s = std::ceil(std::max(too_long_s, too_many_s) - rounding_s);
    return {Admission::crowded, wait,
            static_cast<std::uint32_t>(
                std::clamp(retry_s, 1.0, static_cast<double>(retry_after_max_s)))};
}

}  // namespace idlewatt::scheduler
