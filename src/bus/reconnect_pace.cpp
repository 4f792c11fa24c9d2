// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/reconnect_pace.hpp"

#include <algorithm>

namespace idlewatt::bus {

void ReconnectPace::lost_after(base::Duration span) {
    if (span > stable_after)
        attempts_ = 0;
}

void ReconnectPace::tried(bool was_denied) {
    ++attempts_;
    denials_ = was_denied ? denials_ + 1 : 0;
}

base::Duration ReconnectPace::first_pause() {
    const auto whole = static_cast<std::uint64_t>(std::max<std::int64_t>(delay().ns, 1));
    return base::Duration{static_cast<std::int64_t>(prng_.below(whole))};
}

base::Duration ReconnectPace::pause() {
    const auto half = static_cast<std::uint64_t>(std::max<std::int64_t>(delay().ns / 2, 1));
    return base::Duration{static_cast<std::int64_t>(half + prng_.below(half))};
}

bool ReconnectPace::tells_denial() const {
    return denials_ >= denied_attempts && (denials_ & (denials_ - 1)) == 0;
}

// Quick at first, then doubling.
base::Duration ReconnectPace::delay() const {
    if (denials_ >= denied_attempts) {
        const int doublings = std::min(denials_ - denied_attempts, delay_doublings_max);
        return std::min(slow_delay * (std::int64_t{1} << doublings), denied_delay_max);
    }
    const int doublings = std::clamp(attempts_ - quick_attempts, 0, delay_doublings_max);
    return std::min(quick_delay_ * (std::int64_t{1} << doublings), slow_delay);
}

}  // namespace idlewatt::bus
