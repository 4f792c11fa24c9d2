// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "core/owner_settings.hpp"

namespace idlewatt::core {

OwnerSettings preset(Preset which) {
    OwnerSettings settings;
    switch (which) {
        case Preset::gentle:
            settings.reserve_percent = 70.0;
            settings.floor_percent = 50.0;
            settings.power_limit_w = 150.0;
            settings.only_unmetered = true;
            settings.reentry_delay = base::minutes(10);
            settings.battery_hot_c = 40.0;
            settings.battery_cold_c = 5.0;
            return settings;
        case Preset::balanced:
            settings.reserve_percent = 50.0;
            settings.floor_percent = 30.0;
            settings.power_limit_w = 300.0;
            settings.reentry_delay = base::minutes(2);
            return settings;
        case Preset::most_earnings:
            settings.reserve_percent = 30.0;
            settings.floor_percent = 20.0;
            settings.power_limit_w = 1'000.0;
            settings.only_plugged_in = false;
            settings.reentry_delay = base::seconds(30);
            return settings;
    }
    return settings;
}

}  // namespace idlewatt::core
