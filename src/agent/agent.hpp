// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The program in the car: joins the agent's mind (agent_core.hpp) with the edges that see and act.
//
// Lifecycle: construct, start(), and either terminate() or destruction (which is like a crash:
// nothing is handed over; the spool keeps what was written). Threads: the loop's. The parts
// outlive the agent.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/agent_core.hpp"
#include "agent/cell_link.hpp"
#include "agent/energy_share.hpp"
#include "agent/event.hpp"
#include "agent/receipt_book.hpp"
#include "agent/sayings.hpp"
#include "base/loop.hpp"
#include "bus/bus.hpp"
#include "core/core.hpp"
#include "engine/engine.hpp"
#include "identity/identity.hpp"
#include "meter/meter.hpp"
#include "signals/signals.hpp"
#include "spool/spool.hpp"
#include "wire/subject.hpp"
#include "wire/wire.hpp"

namespace idlewatt::agent {

// A terminating agent waits this long for last acknowledgements; drafts account for the rest.
inline constexpr base::Duration terminate_grace = base::milliseconds(500);

struct AgentParts {
    base::Loop& loop;
    bus::Bus& bus;
    engine::Engine& engine;
    signals::SignalSource& signals;
    const meter::Meter& meter;
    spool::Spool& spool;
    const identity::KeyPair& key;
    CellParts cell{};
};

struct AgentOptions {
    std::string cell = "c1";
    core::VehicleId vehicle;
    core::Incarnation incarnation;
    std::string model;  // fixed; empty: the coordinator says which one
    core::OwnerSettings settings;
    std::string membership{};
    std::optional<CredentialsLife> credentials{};
    std::uint64_t seed = 0;  // for ids and jitter
    // Held signals belong to one story: a restarted agent keeps them, another story does not.
    std::string story;
};

// What others may watch; none of it changes what the agent does.
struct AgentObserver {
    std::function<void(core::Reason, base::Duration took)> on_recall;
    std::function<void(const core::Verdict&, core::Reason announced)> on_verdict;
};

class Agent {
public:
    Agent(const AgentParts& parts, AgentOptions options, AgentObserver observer = {});
    ~Agent();

    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;

    void start();
    // Hands running answers over, ends the engine, then calls done.
    void terminate(std::function<void()> done);

    [[nodiscard]] const AgentCore& core() const { return core_; }
    [[nodiscard]] const ReceiptBook& receipts() const { return receipts_; }

private:
    void feed(const Event& event);
    void perform(Effect& effect);
    void perform(const StartEngine&);
    void perform(const KillEngine&);
    void perform(const DecodeWork& effect);
    void perform(const Generate& effect);
    void perform(const CancelStream& effect);
    void perform(const PauseStream& effect);
    void perform(const Say& effect) { sayings_.say(effect); }
    void perform(const Announce& effect);
    void perform(const KeepDraft& effect);
    void perform(const CloseReceipt& effect);
    void perform(const ReportRecall& effect);
    void perform(const ReportVerdict& effect);
    void perform(const AskAssignment&) { cell_.ask_assignment(); }
    void perform(const KeepAssignment& effect) { cell_.keep(effect.assignment); }
    void perform(const FetchModel& effect) { cell_.fetch(effect); }
    void perform(const StopFetch&) { cell_.stop_fetch(); }
    void perform(const UseModel& effect);
    void perform(const DropFormerModel&) { cell_.drop_former(); }
    void perform(const ReportUnfitModel& effect);
    void perform(const AskRenewal&) { cell_.ask_renewal(); }
    void perform(const Reauthenticate&) { parts_.bus.reauthenticate(); }
    void take_order(const bus::Message& message);
    [[nodiscard]] base::Result<void> remember_holds(const wire::SignalOverride& order);
    void restore_holds();
    void tick();
    void finish_terminating();

    AgentParts parts_;
    AgentOptions options_;
    AgentObserver observer_;
    wire::Subjects subjects_;
    AgentCore core_;
    ReceiptBook receipts_;
    Sayings sayings_;
    CellLink cell_;
    EnergyShare energy_;
    std::map<core::AttemptId, engine::StreamId> streams_;
    std::vector<bus::SubscriptionId> subscriptions_;
    base::TimerId timer_{};
    std::function<void()> terminated_;
    base::Instant terminate_by_;
    bool engine_ended_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::agent
