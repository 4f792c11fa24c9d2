// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the owner decided for one car.
#pragma once

#include "base/time.hpp"

namespace idlewatt::core {

struct OwnerSettings {
    bool consent = false;
    double reserve_percent = 50.0;  // below this charge the car drains and stops
    double floor_percent = 20.0;    // below this charge the car stops at once
    double power_limit_w = 300.0;   // what compute may draw when all is well
    // After a recall the car stays away from work at least this long.
    base::Duration reentry_delay = base::seconds(60);
    // After a drain the car stays away at least this long, however fast the reason goes.
    base::Duration drain_dwell = base::seconds(60);
};

}  // namespace idlewatt::core
