// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Energy by a stated model: every second of a busy core costs the same. Always marked estimated.
#pragma once

#include "meter/meter.hpp"

namespace idlewatt::meter {

// NVIDIA Jetson T5000, the module behind DRIVE AGX Thor: 130 W at most, 14 cores (makers' figures
// as quoted by edgeaistack.ai, May 2026). All of the module's power is laid on its cores, so the
// model rather counts too much than too little. Not measured by us.
inline constexpr double power_per_busy_core_w = 130.0 / 14.0;

class ModelMeter final : public Meter {
public:
    explicit ModelMeter(double power_per_core_w = power_per_busy_core_w);

    [[nodiscard]] Energy energy_of(base::Duration cpu_time) const override;

private:
    double power_per_core_w_;
};

}  // namespace idlewatt::meter
