// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What compute costs in energy. Until a sensor is found the answer is a stated model, and says so.
//
// Threads: its owner's loop.
#pragma once

#include "base/time.hpp"

namespace idlewatt::meter {

struct Energy {
    double energy_j = 0.0;
    bool estimated = true;
};

class Meter {
public:
    virtual ~Meter() = default;

    // Energy of this much CPU time of the engine.
    [[nodiscard]] virtual Energy energy_of(base::Duration cpu_time) const = 0;
};

}  // namespace idlewatt::meter
