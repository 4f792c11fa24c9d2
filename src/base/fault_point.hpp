// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Planted faults and reachability marks in production code. Both are dead, at the price of one
// branch, unless the thread holds a FaultPoints: the simulator proves with the first that its
// checkers see what they must see, and with the second that its scenarios go where they should.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace idlewatt::base {

// Lifecycle: alive from construction to destruction, one per thread at a time. Threads: counts
// only what happens on the thread that made it.
class FaultPoints {
public:
    FaultPoints();
    ~FaultPoints();

    FaultPoints(const FaultPoints&) = delete;
    FaultPoints& operator=(const FaultPoints&) = delete;

    // The fault point of this name fires once, at its n-th passing from now on (the first is 1).
    void arm(std::string_view name, std::uint64_t at_passing);
    [[nodiscard]] bool fired(std::string_view name) const;

    // How often each mark and fault point was passed.
    [[nodiscard]] std::map<std::string, std::uint64_t> passings() const;

    [[nodiscard]] bool pass(std::string_view name);

private:
    struct Point {
        std::uint64_t passed = 0;
        std::uint64_t fires_at = 0;  // 0: not armed
        bool fired = false;
    };
    std::map<std::string, Point, std::less<>> points_;
};

namespace detail {
inline constinit thread_local FaultPoints* fault_points = nullptr;
}

// True when the fault of this name is to happen now.
[[nodiscard]] inline bool fault_point(std::string_view name) {
    return detail::fault_points != nullptr && detail::fault_points->pass(name);
}

// A scenario came here.
inline void reached(std::string_view name) {
    if (detail::fault_points != nullptr)
        (void)detail::fault_points->pass(name);
}

}  // namespace idlewatt::base
