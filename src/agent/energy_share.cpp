// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent/energy_share.hpp"

#include <algorithm>

namespace idlewatt::agent {

void EnergyShare::settle(base::Duration engine_cpu_time) {
    const bool restarted = engine_cpu_time < seen_;
    const base::Duration spent = restarted ? engine_cpu_time : engine_cpu_time - seen_;
    seen_ = engine_cpu_time;
    const auto running =
        std::ranges::count_if(accounts_, [](const auto& entry) { return entry.second.running; });
    if (running == 0)
        return;
    for (auto& [attempt, account] : accounts_) {
        if (account.running)
            account.used = account.used + spent / running;
    }
}

void EnergyShare::begin(const core::AttemptId& attempt, base::Duration engine_cpu_time) {
    settle(engine_cpu_time);
    accounts_[attempt].running = true;
}

void EnergyShare::end(const core::AttemptId& attempt, base::Duration engine_cpu_time) {
    const auto found = accounts_.find(attempt);
    if (found == accounts_.end() || !found->second.running)
        return;
    settle(engine_cpu_time);
    found->second.running = false;
}

void EnergyShare::end_all(base::Duration engine_cpu_time) {
    settle(engine_cpu_time);
    for (auto& [attempt, account] : accounts_)
        account.running = false;
}

base::Duration EnergyShare::used(const core::AttemptId& attempt, base::Duration engine_cpu_time) {
    settle(engine_cpu_time);
    const auto found = accounts_.find(attempt);
    return found == accounts_.end() ? base::Duration{} : found->second.used;
}

base::Duration EnergyShare::take(const core::AttemptId& attempt) {
    const auto found = accounts_.find(attempt);
    if (found == accounts_.end())
        return {};
    const base::Duration used = found->second.used;
    accounts_.erase(found);
    return used;
}

}  // namespace idlewatt::agent
