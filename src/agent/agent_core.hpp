// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The agent's mind: one car's decisions about work, as handle(event, now) → effects. It judges by
// policy on every signal, keeps the engine running only while the verdict allows it, admits
// attempts, streams what the engine says and stops the moment that the owner needs the car.
//
// Pure but for the time that it is told; the same events give the same effects.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>

#include "agent/attempt.hpp"
#include "agent/event.hpp"
#include "agent/model_plan.hpp"
#include "agent/renewal_plan.hpp"
#include "core/core.hpp"
#include "policy/policy.hpp"

namespace idlewatt::agent {

inline constexpr base::Duration tick_period = base::milliseconds(50);
// A drain lets running answers end by themselves for this long, then hands them over.
inline constexpr base::Duration drain_grace = base::seconds(10);
// A loop that did not tick for this long has been asleep (SIGSTOP, suspend): whatever it still
// knows of its attempts is out of date.
inline constexpr base::Duration asleep_after = base::seconds(1);
inline constexpr base::Duration draft_period = base::milliseconds(500);
inline constexpr std::size_t closed_attempts_remembered = 1024;
// After a sleep, requests that have piled up are as old as the sleep: refused for two ticks.
inline constexpr int ticks_to_wake_up = 2;
// Requests being collected may not fill the memory: beyond this many, new ones are refused.
inline constexpr std::size_t receiving_max = 8;

struct CoreConfig {
    core::VehicleId vehicle;
    core::Incarnation incarnation;
    std::string model;  // fixed; empty: the coordinator says which one
    core::OwnerSettings settings;
    std::uint64_t seed = 0;  // of jitter
    std::string membership{};
    std::optional<CredentialsLife> credentials{};
};

class AgentCore {
public:
    AgentCore(CoreConfig config, base::Instant now);

    [[nodiscard]] Effects handle(const Event& event, base::Instant now, base::WallTime wall_now);

    [[nodiscard]] core::Reason announced_reason() const;
    [[nodiscard]] std::size_t open_attempts() const { return attempts_.size(); }

private:
    struct Now {
        base::Instant instant;
        base::WallTime wall;
    };
    enum class EnginePhase { off, on, ending };

    void on(const SignalRead& event, Now now, Effects& effects);
    void on(const EngineChanged& event, Now now, Effects& effects);
    void on(const EngineGone& event, Now now, Effects& effects);
    void on(const Heard& event, Now now, Effects& effects);
    void on(const WorkDecoded& event, Now now, Effects& effects);
    void on(const PieceMade& event, Now now, Effects& effects);
    void on(const EmbeddingMade& event, Now now, Effects& effects);
    void on(const StreamEnded& event, Now now, Effects& effects);
    void on(const BusChanged& event, Now now, Effects& effects);
    void on(const Poked& event, Now now, Effects& effects);
    void on(const Assigned& event, Now now, Effects& effects);
    void on(const Remembered& event, Now now, Effects& effects);
    void on(const ModelFetched& event, Now now, Effects& effects);
    void on(const ModelFetchFailed& event, Now now, Effects& effects);
    void on(const Renewed& event, Now now, Effects& effects);
    void on(const Tick& event, Now now, Effects& effects);
    void on(const Terminating& event, Now now, Effects& effects);

    // admission (agent_admission.cpp)
    void open(const core::AttemptId& id, const core::Open& message, Now now, Effects& effects);
    void resume_or_refuse(Attempt& attempt, const core::ToCar& message, Now now, Effects& effects);
    [[nodiscard]] std::optional<core::Refused> refusal() const;
    [[nodiscard]] std::uint32_t slots_free() const;

    // verdict and engine (agent_verdict.cpp)
    void judge(Now now, Effects& effects);
    void recall(Now now, Effects& effects);
    void steer_engine(Now now, Effects& effects);
    void drain(Now now, Effects& effects);
    void announce(Now now, bool always, Effects& effects);
    [[nodiscard]] std::optional<core::Reason> hold() const;

    // model and credentials (agent_cell.cpp)
    void steer_plans(Now now, Effects& effects);

    // attempts (agent_core.cpp)
    void yield(Attempt& attempt, core::Reason reason, core::AttemptEnd outcome, Effects& effects);
    void say(const Attempt& attempt, core::FromCar message, Effects& effects) const;
    void pace(Attempt& attempt, Effects& effects) const;
    void close(core::AttemptId id, core::AttemptEnd end, Now now, Effects& effects);
    void tend_attempts(Now now, Effects& effects);
    void wake_up(Now now, Effects& effects);
    void abandon(const core::AttemptId& id, Now now, Effects& effects);

    CoreConfig config_;
    core::SignalSet signals_;
    policy::Memory policy_memory_;
    core::Verdict verdict_;
    std::optional<base::Instant> drain_deadline_;
    bool terminating_ = false;

    ModelPlan model_plan_;
    RenewalPlan renewal_plan_;
    std::string membership_;

    EnginePhase engine_phase_ = EnginePhase::off;
    engine::Status engine_;
    std::optional<base::Instant> recall_began_at_;
    core::Reason recall_reason_ = core::Reason::signal_missing;

    std::map<core::AttemptId, Attempt> attempts_;
    std::deque<core::AttemptId> closed_order_;
    std::unordered_set<core::AttemptId> closed_;

    bool connected_ = false;
    base::Instant ticked_at_;
    int ticks_until_awake_ = 0;
    core::Announcement announced_;
    base::Instant announced_at_;
    bool announcement_owed_ = false;
    base::Instant rate_since_;
    std::uint64_t rate_tokens_ = 0;
    double tokens_per_second_ = 0.0;
};

}  // namespace idlewatt::agent
