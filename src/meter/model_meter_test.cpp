// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "meter/model_meter.hpp"

#include <gtest/gtest.h>

namespace idlewatt::meter {
namespace {

TEST(ModelMeter, CountsCoreSecondsAndSaysThatItEstimates) {
    const ModelMeter meter(5.0);
    const Energy energy = meter.energy_of(base::milliseconds(2'500));
    EXPECT_DOUBLE_EQ(energy.energy_j, 12.5);
    EXPECT_TRUE(energy.estimated);
    EXPECT_DOUBLE_EQ(meter.energy_of(base::Duration{}).energy_j, 0.0);
}

TEST(ModelMeter, TwoStretchesCostAsMuchAsOne) {
    const ModelMeter meter;
    const auto both = meter.energy_of(base::seconds(3) + base::seconds(4)).energy_j;
    EXPECT_NEAR(
        meter.energy_of(base::seconds(3)).energy_j + meter.energy_of(base::seconds(4)).energy_j,
        both, 1e-9);
}

}  // namespace
}  // namespace idlewatt::meter
