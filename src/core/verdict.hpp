// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The answer to "may this car work now, how hard, and if not, why?"
#pragma once

#include <optional>

#include "base/time.hpp"
#include "core/reason.hpp"

namespace idlewatt::core {

struct Verdict {
    Reason reason = Reason::signal_missing;
    double allowed_w = 0.0;  // 0 unless the reason is ok
    // The moment when the verdict may change by itself; nullopt: only an event can change it.
    std::optional<base::Instant> until;

    [[nodiscard]] bool may_work() const { return reason == Reason::ok; }
};

}  // namespace idlewatt::core
