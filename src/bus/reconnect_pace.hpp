// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How long to wait before the next attempt to reach a server: a restarted one is to be found within
// moments, a lost one must not be run down by a fleet, and who is refused for good comes seldom.
// Pure. Internal to the module. Threads: one at a time.
#pragma once

#include <cstdint>

#include "base/prng.hpp"
#include "base/time.hpp"

namespace idlewatt::bus {

// For how many attempts a reconnection stays quick, and how slow it becomes afterwards: the first
// is for a server that restarts, the second for a fleet that waits for a lost cluster.
inline constexpr int quick_attempts = 400;
inline constexpr base::Duration stable_after = base::seconds(5);
inline constexpr int delay_doublings_max = 16;
inline constexpr base::Duration slow_delay = base::seconds(2);
// So many refusals in a row are believed: a server that has just started may not know all yet.
inline constexpr int denied_attempts = 4;
// Whoever is refused for good is either to be given other credentials or to stay out: its attempts
// become this seldom.
inline constexpr base::Duration denied_delay_max = base::seconds(60);

class ReconnectPace {
public:
    ReconnectPace(base::Duration quick_delay, std::uint64_t seed)
        : quick_delay_(quick_delay), prng_(seed) {}

    // A connection has ended that stood for so long. A server that throws us out at once must not
    // be run down for it.
    void lost_after(base::Duration span);
    void tried(bool was_denied);

    // Uniform from nothing on: all who lost the same server come back at different times.
    [[nodiscard]] base::Duration first_pause();
    // Uniform between a half and the whole of the delay.
    [[nodiscard]] base::Duration pause();
    // Ever more seldom: at each power of two of refusals in a row.
    [[nodiscard]] bool tells_denial() const;

private:
    [[nodiscard]] base::Duration delay() const;

    base::Duration quick_delay_;
    base::Prng prng_;
    int attempts_ = 0;  // since a connection was stable
    int denials_ = 0;   // in a row
};

}  // namespace idlewatt::bus
