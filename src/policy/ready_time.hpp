// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// When the car is next to be ready, and with how much charge: what the owner said for the days of
// the week, or what the car itself was told, whichever comes first.
#pragma once

#include <optional>

#include "policy/rules.hpp"

namespace idlewatt::policy {

struct ReadyTime {
    base::Duration left;  // from now; not negative
    double charge_percent = 0.0;
};

[[nodiscard]] std::optional<ReadyTime> next_ready_time(const Case& c);

}  // namespace idlewatt::policy
