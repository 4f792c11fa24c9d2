// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Shares the engine's CPU time among the attempts that ran at the same time, equally. A value.
#pragma once

#include <map>

#include "base/time.hpp"
#include "core/id.hpp"

namespace idlewatt::agent {

class EnergyShare {
public:
    // Each call tells the engine's CPU time so far, which starts again from zero with a new engine.
    void begin(const core::AttemptId& attempt, base::Duration engine_cpu_time);
    void end(const core::AttemptId& attempt, base::Duration engine_cpu_time);
    void end_all(base::Duration engine_cpu_time);

    // What the attempt has used so far.
    [[nodiscard]] base::Duration used(const core::AttemptId& attempt,
                                      base::Duration engine_cpu_time);
    // The same in the end; it is forgotten by this.
    [[nodiscard]] base::Duration take(const core::AttemptId& attempt);

private:
    struct Account {
        base::Duration used;
        bool running = false;
    };

    void settle(base::Duration engine_cpu_time);

    std::map<core::AttemptId, Account> accounts_;
    base::Duration seen_;
};

}  // namespace idlewatt::agent
