// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/fault_point.hpp"

#include "base/assert.hpp"

namespace idlewatt::base {

FaultPoints::FaultPoints() {
    IDLEWATT_ASSERT(detail::fault_points == nullptr);
    detail::fault_points = this;
}

FaultPoints::~FaultPoints() {
    detail::fault_points = nullptr;
}

void FaultPoints::arm(std::string_view name, std::uint64_t at_passing) {
    IDLEWATT_ASSERT(at_passing > 0);
    Point& point = points_[std::string(name)];
    point.fires_at = point.passed + at_passing;
}

bool FaultPoints::pass(std::string_view name) {
    auto found = points_.find(name);
    if (found == points_.end())
        found = points_.emplace(std::string(name), Point{}).first;
    Point& point = found->second;
    if (++point.passed != point.fires_at)
        return false;
    point.fired = true;
    return true;
}

bool FaultPoints::fired(std::string_view name) const {
    const auto found = points_.find(name);
    return found != points_.end() && found->second.fired;
}

std::map<std::string, std::uint64_t> FaultPoints::passings() const {
    std::map<std::string, std::uint64_t> counts;
    for (const auto& [name, point] : points_)
        counts.emplace(name, point.passed);
    return counts;
}

}  // namespace idlewatt::base
