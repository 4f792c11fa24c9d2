// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the cell's coordinator has to say to this car: which model it is to hold, whether it is
// paused, and its next credentials. An operator can stop a car; only the owner can let it work.
#include "agent/agent_core.hpp"

namespace idlewatt::agent {

void AgentCore::on(const Poked&, Now now, Effects& effects) {
    model_plan_.ask_now(now.instant);
    steer_plans(now, effects);
}

void AgentCore::on(const Assigned& event, Now now, Effects& effects) {
    model_plan_.answered(event.assignment, now.instant, effects);
    judge(now, effects);
    steer_plans(now, effects);
}

void AgentCore::on(const Remembered& event, Now now, Effects& effects) {
    model_plan_.remember(event.assignment);
    judge(now, effects);
    steer_plans(now, effects);
}

void AgentCore::on(const ModelFetched& event, Now now, Effects& effects) {
    model_plan_.fetched(event);
    judge(now, effects);
}

void AgentCore::on(const ModelFetchFailed& event, Now now, Effects& effects) {
    model_plan_.fetch_failed(event, now.instant);
    judge(now, effects);
}

void AgentCore::on(const Renewed& event, Now now, Effects& effects) {
    renewal_plan_.answered(event.renewal, now.instant, now.wall);
    if (event.renewal && event.renewal->membership != membership_) {
        membership_ = event.renewal->membership;
        announce(now, true, effects);
    }
    steer_plans(now, effects);
}

void AgentCore::steer_plans(Now now, Effects& effects) {
    if (terminating_)
        return;
    model_plan_.steer(now.instant, verdict_.may_work(), connected_, effects);
    renewal_plan_.steer(now.instant, now.wall, connected_, !attempts_.empty(), effects);
}

}  // namespace idlewatt::agent
