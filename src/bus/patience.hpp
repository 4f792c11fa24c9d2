// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How long the ends of connections are waited for. Internal to the module.
#pragma once

#include "base/time.hpp"

namespace idlewatt::bus {

inline constexpr base::Duration close_wait = base::milliseconds(300);

}  // namespace idlewatt::bus
