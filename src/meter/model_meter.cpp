// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "meter/model_meter.hpp"

#include "base/assert.hpp"

namespace idlewatt::meter {

ModelMeter::ModelMeter(double power_per_core_w) : power_per_core_w_(power_per_core_w) {
    IDLEWATT_ASSERT(power_per_core_w > 0.0);
}

Energy ModelMeter::energy_of(base::Duration cpu_time) const {
    IDLEWATT_ASSERT(cpu_time >= base::Duration{});
    return {cpu_time.seconds() * power_per_core_w_, true};
}

}  // namespace idlewatt::meter
